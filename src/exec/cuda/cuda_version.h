#pragma once
// Versions of CUDA, as drivers and the libraries of the toolkit have them.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace outerloop::exec::cuda {

inline constexpr int kOldestMajor = 12, kNewestMajor = 13;  // of libraries that were tried

// "12.8" of 12080, which is what cuDriverGetVersion gives.
inline std::string cuda_version(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// What the toolkit's library "nvrtc" may be called, the latest first. A driver of CUDA
// `newest_major` takes none of a later one, which the names without a number may still be.
inline std::vector<std::string> library_names(std::string_view library, int newest_major) {
  std::vector<std::string> names;
  for (int major = std::min(newest_major, kNewestMajor); major >= kOldestMajor; --major) {
    names.push_back(fmt::format("lib{}.so.{}", library, major));
  }
  names.push_back(fmt::format("lib{}.so", library));
  names.push_back(fmt::format("/usr/local/cuda/lib64/lib{}.so", library));
  return names;
}

}  // namespace outerloop::exec::cuda
