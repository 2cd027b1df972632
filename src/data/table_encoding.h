#pragma once
// From the cells of a row to inputs.

#include <vector>

#include "outerloop/data/raw_table.h"
#include "outerloop/data/table_set.h"

namespace outerloop::data {

// Refers to the table and the preparation.
class RowEncoder {
 public:
  // Throws BadInput when the table lacks a feature.
  RowEncoder(const RawTable& table, const TablePreparation& preparation);

  // Adds the inputs of the row. Throws BadInput on a cell that is no number, or missing where the
  // preparation refuses that.
  void append(size_t row, std::vector<float>& inputs) const;

 private:
  void append_category(const TableFeature& feature, size_t column, size_t row,
                       std::vector<float>& inputs) const;
  void append_number(const TableFeature& feature, size_t column, size_t row,
                     std::vector<float>& inputs) const;
  void refuse_missing(size_t column, size_t row) const;

  const RawTable& table_;
  const TablePreparation& preparation_;
  std::vector<size_t> columns_;  // of the features
};

// Fits the preparation to these rows. Throws BadInput on columns that are not there or named twice
// in different parts, and on cells that are not what their column should hold.
TablePreparation fit_preparation(const RawTable& table, const TableColumns& columns,
                                 const std::vector<size_t>& training_rows);

}  // namespace outerloop::data
