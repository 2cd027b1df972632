#pragma once
// The one place where results of the HDF5 C API are checked: typed errors of one line instead of
// pages on stderr, an owner for every identifier, one thread at a time.

#include <hdf5.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

namespace outerloop::io {

// Held during every public call: keeps other threads out and HDF5's own error printing off (a
// setting that a thread-safe HDF5 keeps per thread).
class Hdf5Call {
 public:
  Hdf5Call();

 private:
  std::lock_guard<std::recursive_mutex> lock_;
};

// Closes an identifier when it goes out of scope; errors on that way are not reported.
class Hdf5Id {
 public:
  using Close = herr_t (*)(hid_t);

  Hdf5Id(hid_t id, Close closer) : id_(id), close_(closer) {}
  ~Hdf5Id() {
    if (id_ >= 0) close_(id_);
  }
  Hdf5Id(Hdf5Id&& other) noexcept : id_(other.id_), close_(other.close_) { other.id_ = -1; }
  Hdf5Id(const Hdf5Id&) = delete;
  Hdf5Id& operator=(const Hdf5Id&) = delete;

  hid_t get() const { return id_; }
  // For writes, whose failure may show only here.
  herr_t close() {
    const hid_t id = id_;
    id_ = -1;
    return close_(id);
  }

 private:
  hid_t id_;
  Close close_;
};

// What an error message names, and whether a failure means damage (reading) or the system
// (writing).
struct Hdf5Place {
  const std::filesystem::path& file;
  std::string_view object;
  bool writing = false;
};

// HDF5's innermost message on the last failure, made one line; forgotten by the next HDF5 call.
std::string last_hdf5_message();

// Throws CorruptFile or SystemFailure; `where` may add a chunk.
[[noreturn]] void throw_hdf5_error(const Hdf5Place& place, const char* step,
                                   const std::string& reason, const std::string& where = {});

// Passes a result through; negative values (hid_t, herr_t, htri_t, ssize_t) throw.
template <class Result>
Result check(Result result, const Hdf5Place& place, const char* step) {
  if (result < 0) throw_hdf5_error(place, step, last_hdf5_message());
  return result;
}

inline Hdf5Id own(hid_t id, Hdf5Id::Close close, const Hdf5Place& place, const char* step) {
  return {check(id, place, step), close};
}

// The object (group or data set) of a name. Throws BadInput when there is none.
Hdf5Id open_object(hid_t file, const Hdf5Place& place);
// Throws BadInput when there is none or it is something else.
Hdf5Id open_dataset(hid_t file, const Hdf5Place& place);
// False when any part of the path is not there.
bool path_exists(hid_t file, const Hdf5Place& place);

// Object paths are absolute: "meta/w" and "/meta/w" are the same.
std::string absolute(std::string_view name);

// An in-memory string type of `size` bytes (0 counts as 1), padded with NULs.
Hdf5Id fixed_text_type(size_t size, const Hdf5Place& place);
// Texts of variable length are refused: HDF5 keeps them in a heap without checksums, and crashes
// when that heap is damaged (seen with 1.10.8).
bool is_variable_text(hid_t type, const Hdf5Place& place);
// Throws BadInput on a NUL inside, which would end the stored text early.
void require_plain_text(std::string_view text, const Hdf5Place& place);
// One element of a fixed-length string type without its padding.
std::string trimmed(std::string_view raw, hid_t type);

}  // namespace outerloop::io
