#pragma once
// Rows of a table where one group of columns comes from other rows, and models that answer them.
//
// Rows are named, not copied: a model that can read through the indices does; gathering() makes one
// of a model that wants a table.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "outerloop/interp/table.h"

namespace outerloop::interp {

// Place i is row rows[i] of x, but in `columns` it has the value of row donors[i]:
//   x(donors[i], c)                                                   or, with residuals,
//   x(rows[i], c) - residuals(rows[i], c) + residuals(donors[i], c)
struct GatheredRows {
  const TableView* x = nullptr;  // never null
  std::span<const uint32_t> rows;
  std::span<const uint32_t> columns;     // none: rows as they are
  std::span<const uint32_t> donors;      // as many as rows, unless columns is empty
  const TableView* residuals = nullptr;  // as large as x, or null

  size_t size() const { return rows.size(); }
  GatheredRows part(size_t begin, size_t count) const;
  // All places, (size, columns of x).
  void copy_to(std::span<double> table) const;
};

// What answers gathered rows. May be called by several threads at a time.
struct BlockModel {
  size_t width = 1;
  std::function<void(const GatheredRows&, std::span<double> predictions)> predict;
  // Why an answer depends on the other rows of its block, in a few words; empty: it does not.
  std::string coupling = {};
};

BlockModel gathering(Model model);

}  // namespace outerloop::interp
