#pragma once
// The report of permutation importance: one HTML file that needs nothing else, and the same as JSON
// and CSV.

#include <filesystem>
#include <vector>

#include "outerloop/interp/importance_run.h"
#include "outerloop/interp/run_importance.h"

namespace outerloop::report {

// Writes the folder's report.html, importance.json and importance.csv and returns their paths.
// Equal results give equal bytes. Throws SystemFailure when a file cannot be written.
std::vector<std::filesystem::path> write_importance(const interp::ImportanceFolder& folder,
                                                    const interp::ImportanceResult& result);
std::vector<std::filesystem::path> write_importance(const interp::ImportanceFolder& folder,
                                                    const interp::RunImportance& result);

}  // namespace outerloop::report
