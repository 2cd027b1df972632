#pragma once
// Files that a user names for a result.

#include <filesystem>

namespace outerloop::cli {

// Before the work is done: throws BadInput when the file's folder is missing or the name is a
// folder's.
void require_place_for(const std::filesystem::path& file);

}  // namespace outerloop::cli
