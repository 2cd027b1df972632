#pragma once
// Folders of the test's own, removed at its end; no two processes share any.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace outerloop {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int count = 0;
    path_ = std::filesystem::path(testing::TempDir()) /
            ("outerloop-test-" + std::to_string(getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// A new, empty folder of this name, among those of this process, which are removed at its end.
inline std::filesystem::path fresh_folder(const std::string& name) {
  static const TemporaryFolder all;
  const std::filesystem::path folder = all / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace outerloop
