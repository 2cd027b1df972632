#pragma once
// Lowering: equations become kernel calls through a table keyed by op record.

#include "exec/plan/steps.h"
#include "outerloop/ir/op_def.h"

namespace outerloop::exec {

class Lowering {
 public:
  explicit Lowering(const Program& program);

  Lowered run();

  const TensorType& type(ValueId value) const { return program_.type(value); }
  // The equation that makes a value; nullptr for inputs.
  const Equation* maker(ValueId value) const;

  static BufferId buffer(ValueId value) { return {value.index}; }
  BufferId scratch(int64_t bytes);
  // The value is the same memory as another.
  void alias(ValueId value, ValueId source);
  // The buffer whose memory it is.
  BufferId root(BufferId buffer) const { return lowered_.root[static_cast<size_t>(buffer.index)]; }
  void call(StepSpec spec, std::vector<BufferId> reads, std::vector<BufferId> writes,
            std::vector<std::vector<int32_t>> in_place = {});

 private:
  const Program& program_;
  std::vector<int32_t> producers_;
  Lowered lowered_;
  int32_t equation_ = -1;
};

using LowerRule = void (*)(Lowering&, const Equation&);

LowerRule find_rule(const OpDef& op);

// What stores its input as it is.
ScalarBody identity_body(DType dtype);

// Rules by family; the table is in lowering.cpp.
void lower_fused(Lowering& lowering, const Equation& equation);  // also single pointwise ones
void lower_constant(Lowering& lowering, const Equation& equation);
void lower_reduction(Lowering& lowering, const Equation& equation);
void lower_alias(Lowering& lowering, const Equation& equation);
void lower_broadcast(Lowering& lowering, const Equation& equation);
void lower_concat(Lowering& lowering, const Equation& equation);
void lower_gather(Lowering& lowering, const Equation& equation);
void lower_max_pool_index(Lowering& lowering, const Equation& equation);
void lower_one_hot(Lowering& lowering, const Equation& equation);
void lower_pad(Lowering& lowering, const Equation& equation);
void lower_put_per_row(Lowering& lowering, const Equation& equation);
void lower_scatter(Lowering& lowering, const Equation& equation);
void lower_scatter_add(Lowering& lowering, const Equation& equation);
void lower_slice(Lowering& lowering, const Equation& equation);
void lower_take(Lowering& lowering, const Equation& equation);
void lower_take_per_row(Lowering& lowering, const Equation& equation);
void lower_transpose(Lowering& lowering, const Equation& equation);
// Ops outside of the families keep their records.
void lower_plain(Lowering& lowering, const Equation& equation);

}  // namespace outerloop::exec
