#pragma once
// A small /proc and /sys to read in place of the system's.

#include <filesystem>
#include <map>
#include <string>

#include "outerloop/base/atomic_file.h"

namespace outerloop {

using SystemFiles = std::map<std::string, std::string>;  // path below the root -> text

inline void write_files(const std::filesystem::path& root, const SystemFiles& files) {
  for (const auto& [file, text] : files) {
    std::filesystem::create_directories((root / file).parent_path());
    write_file_atomically(root / file, text);
  }
}

}  // namespace outerloop
