#pragma once
// A table as it lies in its file.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace outerloop::data {

class RawTable {
 public:
  // CSV, CSV compressed by gzip, or HDF5, told by its first bytes. Throws BadInput naming the file,
  // and the cell where a text is no UTF-8.
  static RawTable read(const std::filesystem::path& file);
  // Whether a file is meant as a table: CSV by its name, or HDF5 that is no data set of images.
  static bool is_table(const std::filesystem::path& file);

  size_t rows() const { return rows_; }
  std::vector<std::string> columns() const;
  std::optional<size_t> find(std::string_view name) const;
  // Throws BadInput when there is none; `key` tells what names the column.
  size_t column(std::string_view name, std::string_view key) const;

  // Surrounding blanks are no part of a cell; missing cells are "".
  std::string text(size_t column, size_t row) const;
  // Nothing where missing. Throws BadInput, naming row and column, on a text that is no finite
  // number, and on numbers beyond 1e30 in size: markers of missing cells, whose squares overflow.
  std::optional<double> number(size_t column, size_t row) const;
  // "FILE: row 7, column x": for CSV the line of the file where the row begins, for HDF5 the row
  // from 1.
  std::string place(size_t column, size_t row) const;

 private:
  struct Column {
    std::string name;
    // Whole numbers of 64 bits are no doubles: they may name tasks.
    std::variant<std::vector<std::string>, std::vector<double>, std::vector<int64_t>> cells;
  };
  static RawTable read_csv(const std::filesystem::path& file);
  static RawTable read_hdf5(const std::filesystem::path& file);
  double within_bounds(double value, size_t column, size_t row) const;
  void check() const;
  void check_texts(size_t column) const;

  std::string file_;
  size_t rows_ = 0;
  std::vector<size_t> lines_;  // where rows begin; empty for HDF5
  std::vector<Column> columns_;
};

// For a person: rows, and for each column what its cells are.
std::string summary(const RawTable& table);

}  // namespace outerloop::data
