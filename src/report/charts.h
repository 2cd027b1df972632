#pragma once
// The plots of a report, each in its card.

#include <string>

#include "report/report_data.h"

namespace outerloop::report {

std::string learning_charts(const ReportData& data);    // over outer iterations
std::string adaptation_charts(const ReportData& data);  // over inner steps; "" without a test
std::string task_chart(const ReportData& data);         // over test tasks; "" without a test
std::string curve_chart(const CurveTask& task);         // an example task

}  // namespace outerloop::report
