#pragma once
// From a run folder to the contents of its report.

#include <filesystem>

#include "report/report_data.h"

namespace outerloop::report {

// Throws BadInput when it is no run folder or its files are not those of a run.
ReportData gather(const std::filesystem::path& run);

}  // namespace outerloop::report
