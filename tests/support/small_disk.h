#pragma once
// A small file system in memory, gone with the test. Mounting one needs root.

#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

namespace outerloop::testing_support {

class SmallDisk {
 public:
  // `size` as mount(8) takes it for tmpfs: "2m", "300k".
  SmallDisk(const std::filesystem::path& place, const std::string& size) : place_(place) {
    std::filesystem::create_directories(place);
    const std::string options = "size=" + size;
    mounted_ = mount("outerloop-test", place.c_str(), "tmpfs", 0, options.c_str()) == 0;
    reason_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) umount2(place_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  std::string why_not() const { return "cannot mount a small tmpfs (needs root): " + reason_; }
  bool make_read_only() const {
    return mount("none", place_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }

 private:
  std::filesystem::path place_;
  bool mounted_ = false;
  std::string reason_;
};

}  // namespace outerloop::testing_support
