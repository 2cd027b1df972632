#pragma once
// A file under construction in memory. HDF5 cannot give up a file whose last writes fail: it keeps
// it open, tries again when the process ends, and crashes there. So it never writes to the disk
// itself: it fills an image, and the finished image is written here, with errors checked.

#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "io/hdf5_handle.h"

namespace outerloop::io {

class Hdf5Image {
 public:
  // Makes the file, empty; removed at the end unless write() is called. Throws SystemFailure, also
  // when the file exists.
  explicit Hdf5Image(const std::filesystem::path& file);
  ~Hdf5Image();
  Hdf5Image(const Hdf5Image&) = delete;
  Hdf5Image& operator=(const Hdf5Image&) = delete;

  // Makes H5Fcreate with these properties fill this image, which must outlive the HDF5 file.
  void attach(const Hdf5Id& access_properties, const Hdf5Place& place);
  // To be passed to H5Fcreate: a name that no file can have.
  std::filesystem::path name_for_hdf5() const { return file_ / "image"; }

  // Puts the content into the file; after H5Fclose.
  void write();

 private:
  std::span<const std::byte> content() const;

  static void* allocate(size_t size, H5FD_file_image_op_t, void* self);
  static void* reallocate(void* buffer, size_t size, H5FD_file_image_op_t, void* self);
  static void* copy(void* target, const void* source, size_t size, H5FD_file_image_op_t, void*);
  static herr_t release(void* buffer, H5FD_file_image_op_t reason, void* self);
  static void* share(void* self) { return self; }
  static herr_t unshare(void*) { return 0; }

  std::filesystem::path file_;
  int descriptor_ = -1;
  bool written_ = false;
  void* buffer_ = nullptr;  // HDF5's until it closes the file, then ours
  size_t capacity_ = 0;
};

}  // namespace outerloop::io
