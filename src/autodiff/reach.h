#pragma once
// Which values lie between the inputs and the outputs of a derivative.

#include <span>
#include <vector>

#include "outerloop/ir/builder.h"
#include "outerloop/ir/op_def.h"

namespace outerloop::autodiff {

// A set of values, by id. Grows with the program.
class ValueSet {
 public:
  bool contains(ValueId id) const {
    const auto index = static_cast<size_t>(id.index);
    return index < bits_.size() && bits_[index];
  }
  void insert(ValueId id) {
    const auto index = static_cast<size_t>(id.index);
    if (index >= bits_.size()) bits_.resize(index + 1, false);
    bits_[index] = true;
  }

 private:
  std::vector<bool> bits_;
};

// Ops that pass derivatives on.
inline bool differentiable(const OpDef& op) {
  return op.vjp != nullptr || op.group == OpGroup::fused;
}

// The equations, in order, through which a change of `inputs` reaches `outputs`, and the floating
// values that it changes on the way. Equations that write one of the inputs are left out.
struct Reach {
  std::vector<size_t> equations;
  ValueSet changed;
};
Reach reach(const Program& program, std::span<const Expr> inputs, std::span<const Expr> outputs);

}  // namespace outerloop::autodiff
