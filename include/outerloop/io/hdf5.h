#pragma once
// HDF5 files of tensors, bytes and short texts. Same calls with the same content give the same
// bytes.
//
// Written files use the 1.10 format (its metadata carries checksums), chunked data sets with
// fletcher32, fixed-length strings, no times. Readers take older formats too: contiguous data,
// other integer and float widths; but no variable-length texts, on whose damage HDF5 itself
// crashes.
//
// Errors, one line each, with file, object and, where it can be found, the chunk:
//   BadInput       the file or object is not there, or has another type or shape than asked for
//   CorruptFile    the content is damaged
//   SystemFailure  it cannot be written or read (disk full, permissions)
//
// Objects are named by path ("meta/net/weight"; "/" is the root group). Safe to use from several
// threads: one call at a time is inside HDF5.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/tensor/tensor.h"

namespace outerloop::io {

// Unsigned bytes with a shape (images): tensors have no such element type.
struct ByteArray {
  Shape shape;
  std::vector<uint8_t> values;
};

enum class ElementType { f32, f64, i32, u8, text, other };

struct DatasetInfo {
  ElementType type = ElementType::other;
  Shape shape;
};

// Each has a checksum (fletcher32), but scalars, empty data sets and those in one piece.
struct DatasetOptions {
  int deflate = 0;                     // 0 off, 1–9 level; for images, useless on weights
  int64_t chunk_elements = 32 * 1024;  // at most this many elements a chunk
  bool contiguous = false;             // one piece at place_of(), without chunks and filters
};

struct CreateOptions {
  // Leaves kSealBytes in front of the HDF5 content for io::seal_file (outerloop/io/seal.h).
  bool room_for_seal = false;
};

class Hdf5Image;

class Hdf5File {
 public:
  static Hdf5File open_read(const std::filesystem::path& file);
  // Throws SystemFailure when the file exists already: files are never overwritten in place. The
  // content is gathered in memory and written by close().
  static Hdf5File create(const std::filesystem::path& file, const CreateOptions& options = {});

  ~Hdf5File();  // a created file that was not closed is removed
  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&& other) noexcept;

  // Closes; a created file is complete (not yet synced) only after this.
  void close();

  const std::filesystem::path& path() const { return path_; }

  bool exists(std::string_view name) const;
  bool is_group(std::string_view name) const;
  // Names of the members of a group, sorted by bytes.
  std::vector<std::string> list(std::string_view group = "/") const;
  // Paths, without a leading slash, of all data sets below a group, sorted.
  std::vector<std::string> list_datasets(std::string_view group = "/") const;
  DatasetInfo info(std::string_view dataset) const;
  // Where in the file the values of a contiguous data set begin, also while it is being written.
  int64_t place_of(std::string_view dataset) const;

  // f32 and f64 as stored; other integers as i32 (BadInput when a value does not fit).
  Tensor read(std::string_view dataset) const;
  // Integers of any width; BadInput when one needs more than 64 bits with a sign.
  std::vector<int64_t> read_integers(std::string_view dataset) const;
  ByteArray read_bytes(std::string_view dataset) const;  // BadInput unless stored as unsigned bytes
  std::vector<std::string> read_texts(std::string_view dataset) const;
  std::string read_text(std::string_view dataset) const;  // exactly one text

  // Groups on the way are created.
  void create_group(std::string_view group);
  void write(std::string_view dataset, const Tensor& value, const DatasetOptions& options = {});
  void write_bytes(std::string_view dataset, const Shape& shape, std::span<const uint8_t> values,
                   const DatasetOptions& options = {});
  void write_texts(std::string_view dataset, std::span<const std::string> values);
  void write_text(std::string_view dataset, const std::string& value);

  // Attributes of a group or data set. The plural getters take any number of values, the others
  // one.
  bool has_attribute(std::string_view object, std::string_view name) const;
  std::vector<std::string> list_attributes(std::string_view object) const;
  int64_t attribute_int(std::string_view object, std::string_view name) const;
  double attribute_real(std::string_view object, std::string_view name) const;
  std::string attribute_text(std::string_view object, std::string_view name) const;
  std::vector<int64_t> attribute_ints(std::string_view object, std::string_view name) const;
  std::vector<double> attribute_reals(std::string_view object, std::string_view name) const;

  void set_attribute_int(std::string_view object, std::string_view name, int64_t value);
  void set_attribute_real(std::string_view object, std::string_view name, double value);
  void set_attribute_text(std::string_view object, std::string_view name, std::string_view value);

 private:
  Hdf5File(std::filesystem::path path, int64_t id, std::unique_ptr<Hdf5Image> image);
  void give_up() noexcept;

  std::filesystem::path path_;
  std::unique_ptr<Hdf5Image> image_;  // of a file being written; outlives id_
  int64_t id_ = -1;                   // hid_t
  bool writing_ = false;
};

}  // namespace outerloop::io
