#pragma once
// How far a journal is, also while it is being written.

#include <filesystem>
#include <string>

namespace outerloop::farm {

// Lines for people: cells done and damaged; of a run that is under way its place, rate and time
// left. Throws what read_journal throws.
std::string describe_status(const std::filesystem::path& journal);

}  // namespace outerloop::farm
