#pragma once
// Whole files, compressed by gzip or not.

#include <filesystem>
#include <string>

namespace outerloop::data {

// Throws BadInput when it is missing, damaged or unpacks to more than 4 GiB.
std::string read_maybe_gzip(const std::filesystem::path& path);

}  // namespace outerloop::data
