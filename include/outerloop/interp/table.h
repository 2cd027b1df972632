#pragma once
// A table of numbers and a model of its rows, as the explainers see them.

#include <cstddef>
#include <functional>
#include <span>

namespace outerloop::interp {

// Rows of equal length that somebody else owns.
class TableView {
 public:
  TableView() = default;
  // values: (rows, columns), row-major. Throws BadInput when they are no whole number of rows.
  TableView(std::span<const double> values, size_t columns);

  std::span<const double> values() const { return values_; }
  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }
  std::span<const double> row(size_t i) const { return values_.subspan(i * columns_, columns_); }

 private:
  std::span<const double> values_;
  size_t rows_ = 0;
  size_t columns_ = 0;
};

// What a model says about the rows of a table: (rows, width), row-major.
//   width 1   the value (regression); the class, or the score of class 1
//   width C   one score or probability per class
struct Predictions {
  std::span<const double> values;
  size_t width = 1;

  size_t rows() const { return width == 0 ? 0 : values.size() / width; }
};

// A function from tables to predictions. It must answer each row by that row alone.
struct Model {
  size_t width = 1;
  std::function<void(const TableView& x, std::span<double> predictions)> predict;
};

}  // namespace outerloop::interp
