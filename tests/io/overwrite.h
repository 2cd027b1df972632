#pragma once
// One byte of a file changed, and put back at the end of the scope.

#include <filesystem>
#include <fstream>

namespace outerloop {

class Overwrite {
 public:
  // `change` maps the old byte to the new one.
  template <class Change>
  Overwrite(const std::filesystem::path& file, size_t offset, Change change)
      : stream_(file, std::ios::binary | std::ios::in | std::ios::out),
        offset_(static_cast<std::streamoff>(offset)) {
    stream_.seekg(offset_).get(before_);
    put(static_cast<char>(change(before_)));
  }
  ~Overwrite() { put(before_); }
  Overwrite(const Overwrite&) = delete;
  Overwrite& operator=(const Overwrite&) = delete;

 private:
  void put(char value) { stream_.seekp(offset_).put(value).flush(); }

  std::fstream stream_;
  std::streamoff offset_;
  char before_ = 0;
};

}  // namespace outerloop
