#pragma once
// Example tasks: the first ones of the test, solved again for the report.

#include <filesystem>

#include "report/report_data.h"

namespace outerloop::report {

// Adds `count` tasks to `data`, or says there why not (the data set is not here).
void gather_examples(const std::filesystem::path& run, int64_t count, ReportData& data);

}  // namespace outerloop::report
