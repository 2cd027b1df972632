#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "outerloop/base/error.h"
#include "outerloop/sweep/state.h"
#include "sweep/lease_query.h"

namespace outerloop::sweep {
namespace {

// Locks of the open file rather than of the process: children share them.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

std::optional<Lease> Lease::take(const SweepFolder& folder, const Point& point) {
  const auto file = folder.lease(point);
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    throw SystemFailure(fmt::format("{}: cannot open: {}", file.string(), std::strerror(errno)));
  }
  Lease lease(descriptor);
  struct flock lock = whole_file();
  const bool taken = ::fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
  if (!taken && (errno == EAGAIN || errno == EACCES)) return std::nullopt;
  return lease;
}

Lease::Lease(Lease&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Lease::~Lease() {
  if (descriptor_ < 0) return;
  struct flock lock = whole_file();
  lock.l_type = F_UNLCK;
  ::fcntl(descriptor_, F_OFD_SETLK, &lock);
  ::close(descriptor_);
}

// Asks without taking: a look must never make a worker pass a point over.
bool is_leased(const SweepFolder& folder, const Point& point) {
  const int descriptor = ::open(folder.lease(point).c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return false;
  struct flock lock = whole_file();
  const bool asked = ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0;
  ::close(descriptor);
  return asked && lock.l_type != F_UNLCK;
}

}  // namespace outerloop::sweep
