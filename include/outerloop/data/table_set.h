#pragma once
// Rows of a table, each of one task, as numbers ready for episodes.
//
// The file is CSV with a header (maybe compressed by gzip), or HDF5 whose root holds one
// one-dimensional data set per column, all of one length, of numbers or fixed-length texts. A cell
// is missing when it is empty, NA or NaN.

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/config/config.h"
#include "outerloop/data/episode.h"

namespace outerloop::data {

using config::MissingCells;  // mean and median: of the column's training rows

// What the columns are.
struct TableColumns {
  std::string task = "task";  // the name of the row's task
  std::string split =
      "split";         // train, validation (or val) or test; the same in all rows of a task
  std::string target;  // rows without it are left out
  bool classification = false;          // the target is a class, not a number
  std::vector<std::string> features;    // empty: all columns but those above and `left_out`
  std::vector<std::string> left_out;    // columns to pass over
  std::vector<std::string> categories;  // features whose cells are names: one input per name
  MissingCells missing = MissingCells::refuse;  // of numbers; unless refused, a missing category
                                                // is none of the known ones
  bool flag_missing = false;  // a second input for numbers with missing cells: 1 where missing
  bool standardise = true;    // numbers and real targets: mean 0, deviation 1 on training rows
};

// A feature and the inputs that it becomes.
struct TableFeature {
  std::string name;
  bool is_category = false;
  std::vector<std::string> categories;  // one input each: 1 where the cell is it; other names: 0s
  double fill = 0;                      // a missing number counts as this
  double mean = 0, scale = 1;           // input = (number - mean) / scale
  bool has_flag = false;

  int64_t inputs() const;
  bool operator==(const TableFeature&) const = default;
};

// How rows become inputs and targets: fitted on training rows alone, kept with what was learned
// from them.
struct TablePreparation {
  std::vector<TableFeature> features;
  bool refuses_missing = true;
  std::string target;
  std::vector<std::string> classes;          // by value if all are numbers, else by bytes
  double target_mean = 0, target_scale = 1;  // of real targets: y = (number - mean) / scale

  int64_t inputs() const;
  bool operator==(const TablePreparation&) const = default;
};

// As JSON; parse() throws CorruptFile on anything but what to_text() gives.
std::string to_text(const TablePreparation& preparation);
TablePreparation parse_table_preparation(const std::string& text);

struct TableSet {
  std::string name;
  TablePreparation preparation;
  std::vector<float> x;  // (row, inputs); rows by task, then class, then place in the file
  std::vector<float> y;  // (row,); empty with classes
  std::vector<std::string> task_names;  // in order of their first rows
  std::vector<int64_t> begin;           // first row of (task, class), and the end; class 0 alone
                                        // where targets are numbers
  std::array<std::vector<int32_t>, 3> splits;  // tasks, by Split
  int64_t rows_left_out = 0;                   // without a target

  int64_t tasks() const { return static_cast<int64_t>(task_names.size()); }
  int64_t groups() const;  // classes, or 1
  int64_t rows() const { return begin.back(); }
  int64_t rows_of(int64_t task, int64_t group) const;
};

// Throws BadInput, naming file, row and column, when a column is not there, a cell is not what its
// column should hold, or a task is in two splits.
// `known`: prepares rows as what was learned needs them, and there need be no training rows; null:
// fitted.
TableSet load_table_set(const std::filesystem::path& file, const TableColumns& columns,
                        const TablePreparation* known = nullptr);

// Of everything that episodes depend on.
std::string fingerprint(const TableSet& set);

// A person's own rows, for a model that learned from a table of the same columns. The columns are
// found by name, others are passed over.
struct TableRows {
  int64_t rows = 0;
  std::vector<float> x;             // (row, inputs)
  std::vector<double> y;            // (row,), as in the file; empty with classes
  std::vector<std::string> labels;  // (row,), as in the file; empty with real targets
  size_t tasks = 0;                 // values of the column of tasks; 0 where there is none
  // (feature,): cells with a category that no training row had, and so count as none
  std::vector<int64_t> unknown_categories;
};
enum class Targets : uint8_t {
  required,
  where_known,  // rows without: NaN or ""; all of them where there is no such column
};
// `task`: the training's column of tasks, which these rows may lack.
TableRows read_table_rows(const std::filesystem::path& file, const TablePreparation& preparation,
                          Targets targets, std::string_view task);

}  // namespace outerloop::data
