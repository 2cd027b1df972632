#pragma once
// The body of a fused equation taken apart: its head or reduction, its operands and its scalar
// mathematics.

#include <vector>

#include "outerloop/ir/op_def.h"
#include "outerloop/passes/access.h"

namespace outerloop::exec {

// One way in which the body reads one of its inputs.
struct BodyOperand {
  ValueId value;
  passes::AccessStrides strides;
  bool dense = false;  // same element order as the loop
  bool operator==(const BodyOperand&) const = default;
};

class BodyAnalysis {
 public:
  // `body` must outlive this.
  explicit BodyAnalysis(const Program& body);

  const Equation* head() const { return head_; }            // the contraction, or nullptr
  const Equation* reduction() const { return reduction_; }  // the first one, or nullptr
  const Shape& shape() const { return shape_; }             // of the loop
  DType dtype() const { return dtype_; }
  // What is read besides the head's own operands.
  const std::vector<BodyOperand>& operands() const { return operands_; }
  // nullptr for inputs of the body.
  const Equation* maker(ValueId value) const;
  // Whether the records of all that is done per element allow it.
  bool may_run_in_place() const;
  // Inputs: the head's element where there is a head, then the operands. Outputs: what each output
  // of the body stores, of a reduction what it reduces.
  ScalarBody scalars() const;

 private:
  BodyOperand access(const Equation& equation, ValueId input) const;
  void collect(const Equation& equation);

  const Program& body_;
  std::vector<int32_t> producer_;
  const Equation* head_ = nullptr;
  const Equation* reduction_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::f32;
  std::vector<BodyOperand> operands_;
};

}  // namespace outerloop::exec
