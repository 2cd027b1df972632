#pragma once
// What the first layer's products of rows become when some of their inputs change: a product X W of
// which rows take other values in a few columns g is X W + (X' - X)_g W_g, whatever the other
// columns are.

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "outerloop/exec/executable.h"
#include "outerloop/interp/task_learner.h"

namespace outerloop::interp {

// Which inputs change in any row, in the order in which rows name them, and by how much.
class RowSteps {
 public:
  // False where a value that changes, own or from elsewhere, is beyond kMost or no number: the
  // rounding of its part of a product would stay in the sum. What it tells is of no use then.
  bool take(const ChangedRows& copy, std::span<const float> rows, size_t row_inputs);
  static constexpr float kMost = 64;  // leaves 4e-6 times the weight; standardised inputs are below

  const std::vector<uint32_t>& inputs() const { return inputs_; }
  // (rows, width) with zeros in the last columns; width >= inputs().size().
  void write(size_t width, std::span<float> steps) const;

 private:
  struct Step {
    size_t row;
    uint32_t place;  // in inputs()
    float step;      // value from elsewhere - own
  };
  std::vector<uint32_t> inputs_;
  std::vector<Step> steps_;
  std::vector<uint32_t> place_of_;  // by input, 1 + its place in inputs(); 0: in none
};

// For one thread at a time.
class ProductUpdate {
 public:
  // Of so many rows, with a weight (inputs, width).
  ProductUpdate(size_t rows, size_t inputs, size_t width, exec::CompileOptions options);
  ~ProductUpdate();

  // values (rows, width): X W; result the same, changed. The bits depend on nothing else.
  void apply(const RowSteps& steps, std::span<const float> values, std::span<const float> weight,
             std::span<float> result);
  double flops(size_t inputs) const;  // of apply() where so many inputs change

 private:
  struct Plan;
  size_t padded(size_t inputs) const;
  Plan& plan(size_t padded);

  size_t rows_, inputs_, width_;
  exec::CompileOptions options_;
  std::map<size_t, std::unique_ptr<Plan>> plans_;  // by padded inputs
};

}  // namespace outerloop::interp
