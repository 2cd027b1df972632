#pragma once
// A table of numbers with a target, from a file.

#include <filesystem>
#include <string>
#include <vector>

#include "outerloop/interp/table.h"

namespace outerloop::interp {

struct TargetTable {
  std::vector<std::string> features;
  std::vector<double> x;             // (rows, features)
  std::vector<double> targets;       // per row
  std::vector<std::string> classes;  // names of classes 0, 1, … of a target of words, sorted
  std::vector<double> weights;       // per row; empty without a column of weights

  TableView view() const { return {x, features.size()}; }
};

// What a user says of the columns. No features: all columns but target and weights.
struct TableColumns {
  std::string target;
  std::vector<std::string> features;
  std::string weights;  // empty: none
};

// Any file that data::RawTable reads. A target without a single number is one of words. Throws
// BadInput with file, row and column of what is no number, and on unknown columns.
TargetTable read_table(const std::filesystem::path& file, const TableColumns& columns);

}  // namespace outerloop::interp
