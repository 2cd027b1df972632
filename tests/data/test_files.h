#pragma once
// Files stored beside the tests.

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "outerloop/base/atomic_file.h"

namespace outerloop::data {

inline std::filesystem::path test_file(const std::string& name) {
  return std::filesystem::path(OUTERLOOP_SOURCE_DIR) / "tests/data/files" / name;
}

inline std::vector<std::byte> file_bytes(const std::string& name) {
  const std::string content = read_file(test_file(name));
  std::vector<std::byte> bytes(content.size());
  std::memcpy(bytes.data(), content.data(), content.size());
  return bytes;
}

}  // namespace outerloop::data
