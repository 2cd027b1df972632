#pragma once
// Files that a user names for a result.

#include <filesystem>
#include <string_view>
#include <vector>

namespace outerloop::cli {

// Throws BadInput when the file's folder is missing or cannot be written, which `cure` is for, or
// when the name is a folder's or a device's.
void require_writable(const std::filesystem::path& file,
                      std::string_view cure = "name a file elsewhere");

// Before the work is done: as require_writable(), and throws BadInput for what must not be lost:
// one of the inputs, and what a training calls its own in its run folder.
void require_place_for(const std::filesystem::path& file,
                       const std::vector<std::filesystem::path>& inputs = {});

// The run folder or checkpoint and the data set of its training, as inputs.
std::vector<std::filesystem::path> with_dataset(const std::filesystem::path& run);

}  // namespace outerloop::cli
