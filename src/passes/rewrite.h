#pragma once
// Walks a program and writes its equivalent through a Builder.

#include <vector>

#include "outerloop/ir/builder.h"
#include "outerloop/ir/op_def.h"

namespace outerloop::passes {

// By value: how many inputs of equations that some output needs, and how many outputs, it is.
std::vector<int32_t> live_uses(const Program& program);

class Rewriter {
 public:
  // Copies the inputs.
  explicit Rewriter(const Program& source);

  Builder& builder() { return builder_; }
  Expr operator[](ValueId old) const { return exprs_[static_cast<size_t>(old.index)]; }
  std::vector<Expr> operator[](const std::vector<ValueId>& old) const;
  void replace(ValueId old, Expr replacement) {
    exprs_[static_cast<size_t>(old.index)] = replacement;
  }
  void copy(const Equation& equation);
  // Writes the outputs.
  Program finish();

 private:
  const Program& source_;
  Builder builder_;
  std::vector<Expr> exprs_;  // by value of the source
};

}  // namespace outerloop::passes
