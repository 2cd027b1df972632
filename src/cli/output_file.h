#pragma once
// Files that a user names for a result.

#include <filesystem>
#include <initializer_list>

namespace outerloop::cli {

// Before the work is done: throws BadInput when the file's folder is missing, the name is a
// folder's, or the file is one of the inputs, which must not be lost.
void require_place_for(const std::filesystem::path& file,
                       std::initializer_list<std::filesystem::path> inputs = {});

}  // namespace outerloop::cli
