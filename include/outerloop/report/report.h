#pragma once
// The report of a run: one HTML file that needs nothing else, for a light or dark screen of any
// width.

#include <filesystem>

namespace outerloop::report {

// Writes the report of what lies in the run folder: RUN/report.html, whose path it returns, or the
// file that is named. A run that is not finished gives what there is so far. Equal folders give
// equal bytes. Throws BadInput when it is no run folder, SystemFailure when the file cannot be
// written.
std::filesystem::path write(const std::filesystem::path& run);
void write(const std::filesystem::path& run, const std::filesystem::path& file);

}  // namespace outerloop::report
