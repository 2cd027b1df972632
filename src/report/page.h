#pragma once
// The report as one HTML page: a pure function of its data.

#include <string>

#include "report/report_data.h"

namespace outerloop::report {

std::string page(const ReportData& data);

}  // namespace outerloop::report
