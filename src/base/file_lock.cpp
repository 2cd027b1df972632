#include "outerloop/base/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

// Locks of the open file rather than of the process: children share them.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

std::optional<FileLock> FileLock::take(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    throw_errno(file.string(), "open");
  }
  FileLock held(descriptor);
  struct flock lock = whole_file();
  const bool taken = ::fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
  if (!taken && (errno == EAGAIN || errno == EACCES)) return std::nullopt;
  return held;
}

bool FileLock::is_taken(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  struct flock lock = whole_file();
  const bool asked = ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0;
  ::close(descriptor);
  return asked && lock.l_type != F_UNLCK;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  struct flock lock = whole_file();
  lock.l_type = F_UNLCK;
  ::fcntl(descriptor_, F_OFD_SETLK, &lock);
  ::close(descriptor_);
}

}  // namespace outerloop
