#pragma once
// The report of a sweep: one HTML file that needs nothing else, and the same as CSV and JSON.

#include <filesystem>
#include <vector>

#include "outerloop/sweep/result.h"

namespace outerloop::report {

// Writes report.html, report.csv and report.json into the sweep's folder and returns their paths.
// Equal tables give equal bytes. Throws SystemFailure when a file cannot be written.
std::vector<std::filesystem::path> write_sweep(const sweep::SweepFolder& folder,
                                               const sweep::Table& table);

}  // namespace outerloop::report
