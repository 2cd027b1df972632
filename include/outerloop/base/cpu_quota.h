#pragma once
// How many cores' worth of time a process gets.

#include <filesystem>
#include <optional>

namespace outerloop {

// The least that the control groups (v1 and v2) of this process allow, in cores; nothing where none
// limits it. `root` holds proc and sys.
std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

// One thread for each core that this process may run on, fewer where cpu_quota() is less; at least
// one.
int fitting_threads(const std::filesystem::path& root = "/");

}  // namespace outerloop
