#pragma once
// The plots of a report, each in its card.

#include <string>
#include <vector>

#include "report/report_data.h"

namespace outerloop::report {

std::vector<std::string> learning_charts(const ReportData& data);  // over outer iterations
std::vector<std::string> test_charts(const ReportData& data);      // over inner steps and tasks
std::string curve_chart(const CurveTask& task);                    // an example task
std::string row_chart(const RowTask& task);                        // an example task

}  // namespace outerloop::report
