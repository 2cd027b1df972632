#include "exec/plan/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "outerloop/base/error.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec {
namespace {

struct Entry {
  const OpDef* op;
  LowerRule rule;
};

// The kernel table. Pointwise ops and contractions go by their group.
std::span<const Entry> kernel_table() {
  static const Entry kTable[] = {
      {&ops::broadcast, lower_broadcast},
      {&ops::concat, lower_concat},
      {&ops::constant, lower_constant},
      {&ops::fused, lower_fused},
      {&ops::gather, lower_gather},
      {&ops::max_pool_index, lower_max_pool_index},
      {&ops::one_hot, lower_one_hot},
      {&ops::pad, lower_pad},
      {&ops::put_per_row, lower_put_per_row},
      {&ops::reduce_max, lower_reduction},
      {&ops::reshape, lower_alias},
      {&ops::scatter, lower_scatter},
      {&ops::scatter_add, lower_scatter_add},
      {&ops::slice, lower_slice},
      {&ops::stop_gradient, lower_alias},
      {&ops::sum, lower_reduction},
      {&ops::take, lower_take},
      {&ops::take_per_row, lower_take_per_row},
      {&ops::transpose, lower_transpose},
  };
  return kTable;
}

}  // namespace

LowerRule find_rule(const OpDef& op) {
  const auto table = kernel_table();
  const auto found = std::ranges::find(table, &op, &Entry::op);
  if (found != table.end()) return found->rule;
  switch (op.group) {
    case OpGroup::elementwise:
    case OpGroup::contraction:
      return lower_fused;
    default:
      return lower_plain;
  }
}

Lowering::Lowering(const Program& program) : program_(program), producers_(producers(program)) {
  for (const TensorType& type : program.values) {
    lowered_.root.push_back({static_cast<int32_t>(lowered_.buffer_bytes.size())});
    lowered_.buffer_bytes.push_back(static_cast<int64_t>(type.bytes()));
  }
}

const Equation* Lowering::maker(ValueId value) const {
  const int32_t e = producers_[static_cast<size_t>(value.index)];
  return e < 0 ? nullptr : &program_.equations[static_cast<size_t>(e)];
}

BufferId Lowering::scratch(int64_t bytes) {
  const BufferId id{static_cast<int32_t>(lowered_.buffer_bytes.size())};
  lowered_.root.push_back(id);
  lowered_.buffer_bytes.push_back(bytes);
  return id;
}

void Lowering::alias(ValueId value, ValueId source) {
  lowered_.root[static_cast<size_t>(value.index)] =
      lowered_.root[static_cast<size_t>(source.index)];
}

void Lowering::call(StepSpec spec, std::vector<BufferId> reads, std::vector<BufferId> writes,
                    std::vector<std::vector<int32_t>> in_place) {
  in_place.resize(writes.size());
  lowered_.steps.push_back(
      {std::move(spec), std::move(reads), std::move(writes), std::move(in_place), equation_});
}

Lowered Lowering::run() {
  for (size_t e = 0; e < program_.equations.size(); ++e) {
    equation_ = static_cast<int32_t>(e);
    const Equation& equation = program_.equations[e];
    find_rule (*equation.op)(*this, equation);
  }
  return std::move(lowered_);
}

Lowered lower(const Program& program) {
  return Lowering(program).run();
}

}  // namespace outerloop::exec
