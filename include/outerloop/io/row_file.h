#pragma once
// HDF5 files of rows that are written in place, one at a time and in any order, and that any HDF5
// reader opens at every moment.
//
// The structure is laid out once, and the file appears whole. Later only the bytes of rows change:
// /values, f64 (row, column), NaN until written, and /seals, u8 (row, 8), the xxh3-64 of a row and
// its place, zeros until written. A row whose seal does not fit is damaged. All other bytes never
// change; the first 512 hold their xxh3-128, so a damaged structure never reaches the HDF5 library.

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "outerloop/base/hash.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::io {

enum class RowState { empty, whole, damaged };

// Where a row file has what.
struct RowLayout {
  int64_t bytes = 0;  // of the file
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t values = 0;  // offset
  int64_t seals = 0;   // offset
  Hash128 rest;        // of what never changes, but for the first 512 bytes
  bool operator==(const RowLayout&) const = default;
};

// A row file as it was at one moment.
class RowSnapshot {
 public:
  // Throws BadInput when there is no such file or it never was a row file; CorruptFile when more
  // than rows is damaged.
  explicit RowSnapshot(const std::filesystem::path& file);
  // Trusts that layout instead of the file's own, of which nothing is checked: for what is left of
  // a damaged file.
  RowSnapshot(const std::filesystem::path& file, const RowLayout& layout);

  const RowLayout& layout() const { return layout_; }
  // Fills `values` if the row is whole.
  RowState read(int64_t row, std::span<double> values) const;

 private:
  std::string content_;
  RowLayout layout_;
};

// Whether the file begins as a row file does.
bool looks_like_row_file(const std::filesystem::path& file);

// Makes one in place of whatever is there, once it is complete. `write_rest` adds what else it
// holds. The same calls give the same bytes.
void create_row_file(const std::filesystem::path& file, int64_t rows, int64_t columns,
                     const std::function<void(Hdf5File&)>& write_rest);

// Writes rows of a file of that layout. One writer at a time. Throws SystemFailure.
class RowWriter {
 public:
  RowWriter(std::filesystem::path file, const RowLayout& layout);
  RowWriter(RowWriter&& other) noexcept;
  RowWriter& operator=(RowWriter&&) = delete;
  ~RowWriter();

  void write(int64_t row, std::span<const double> values);
  // Waits until all rows are on stable storage.
  void sync();

 private:
  void put(std::span<const std::byte> bytes, int64_t offset) const;

  std::filesystem::path file_;
  RowLayout layout_;
  int descriptor_;
};

}  // namespace outerloop::io
