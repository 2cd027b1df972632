#pragma once
// What cells gave.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "outerloop/farm/job.h"

namespace outerloop::farm {

// The values of a job's cells by index, in the order of its list. What is made of them is a fold in
// this order, so it is the same whoever ran what when.
class Results {
 public:
  Results() = default;
  Results(std::vector<std::string> keys, std::vector<std::string> columns);

  const std::vector<std::string>& keys() const { return keys_; }
  const std::vector<std::string>& columns() const { return columns_; }
  size_t cells() const { return keys_.size(); }

  bool has(size_t cell) const { return has_[cell]; }
  // Of a cell that has them.
  std::span<const double> values(size_t cell) const;
  int64_t done() const { return done_; }
  bool complete() const { return done_ == static_cast<int64_t>(cells()); }

  // False when the cell has these values already. Throws SystemFailure when it has others: cells
  // must give the same bits everywhere.
  bool put(size_t cell, std::span<const double> values);

 private:
  std::vector<std::string> keys_;
  std::vector<std::string> columns_;
  std::vector<double> values_;  // (cell, column)
  std::vector<bool> has_;
  int64_t done_ = 0;
};

}  // namespace outerloop::farm
