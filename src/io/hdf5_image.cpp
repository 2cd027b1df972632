#include "io/hdf5_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "outerloop/base/error.h"
#include "outerloop/io/seal.h"

namespace outerloop::io {

Hdf5Image::Hdf5Image(const std::filesystem::path& file)
    : file_(file),
      descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) throw_errno(file_.string(), "create");
}

Hdf5Image::~Hdf5Image() {
  std::free(buffer_);
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!written_) ::unlink(file_.c_str());
}

void Hdf5Image::attach(const Hdf5Id& access_properties, const Hdf5Place& place) {
  constexpr size_t kGrowth = 1 << 20;
  H5FD_file_image_callbacks_t callbacks{allocate, copy, reallocate, release, share, unshare, this};
  check(H5Pset_fapl_core(access_properties.get(), kGrowth, /*backing_store=*/false), place,
        "set up");
  check(H5Pset_file_image_callbacks(access_properties.get(), &callbacks), place, "set up");
}

void* Hdf5Image::allocate(size_t size, H5FD_file_image_op_t reason, void* self) {
  return reallocate(nullptr, size, reason, self);
}

void* Hdf5Image::reallocate(void* buffer, size_t size, H5FD_file_image_op_t, void* self) {
  void* grown = std::realloc(buffer, size);
  if (grown != nullptr) static_cast<Hdf5Image*>(self)->capacity_ = size;
  return grown;
}

void* Hdf5Image::copy(void* target, const void* source, size_t size, H5FD_file_image_op_t, void*) {
  return std::memcpy(target, source, size);
}

herr_t Hdf5Image::release(void* buffer, H5FD_file_image_op_t reason, void* self) {
  if (reason == H5FD_FILE_IMAGE_OP_FILE_CLOSE)
    static_cast<Hdf5Image*>(self)->buffer_ = buffer;
  else
    std::free(buffer);
  return 0;
}

// The buffer grows in large steps; the superblock (versions 2 and 3), which lies behind the room
// for a seal if there is one, tells where the file ends.
std::span<const std::byte> Hdf5Image::content() const {
  constexpr size_t kEndOffset = 28;
  constexpr unsigned char kSignature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  const auto* bytes = static_cast<const std::byte*>(buffer_);
  for (size_t base : {size_t{0}, kSealBytes}) {
    if (base + kEndOffset + sizeof(uint64_t) > capacity_) break;
    if (std::memcmp(bytes + base, kSignature, sizeof(kSignature)) != 0) continue;
    uint64_t end = 0;
    std::memcpy(&end, bytes + base + kEndOffset, sizeof(end));
    OL_ASSERT(end <= capacity_, "an HDF5 image of " + std::to_string(end) + " bytes is too short");
    return {bytes, end};
  }
  throw_internal_error("superblock found", __FILE__, __LINE__, file_.string());
}

void Hdf5Image::write() {
  std::span<const std::byte> rest = content();
  while (!rest.empty()) {
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(file_.string(), "write");
    rest = rest.subspan(static_cast<size_t>(count));
  }
  if (::close(std::exchange(descriptor_, -1)) != 0) throw_errno(file_.string(), "close");
  written_ = true;
}

}  // namespace outerloop::io
