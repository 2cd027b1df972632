#pragma once
// A file that only grows: every record goes in with one write(2), so a killed process leaves at
// most the last record torn.

#include <filesystem>
#include <string_view>

namespace outerloop::io {

class AppendFile {
 public:
  // `flags` are added to open(2)'s, such as O_EXCL.
  explicit AppendFile(std::filesystem::path file, int flags = 0);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view record);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace outerloop::io
