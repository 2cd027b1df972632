// From specs to the kernels of this machine.

#include <array>
#include <cstring>

#include "exec/cpu/copy.h"
#include "exec/cpu/executable_impl.h"
#include "exec/cpu/kernel_cache.h"
#include "exec/oracle_kernels.h"
#include "outerloop/base/error.h"
#include "outerloop/ir/op_def.h"

namespace outerloop::exec {
namespace {

// A call of an oracle kernel on bound memory.
struct PlainCall {
  static constexpr size_t kMaxInputs = 16;
  oracle::Kernel kernel = nullptr;
  PlainSpec spec;

  static void run(const void* state, void* const* operands) {
    const auto& [kernel, spec] = *static_cast<const PlainCall*>(state);
    std::array<Tensor, kMaxInputs> inputs;
    for (size_t i = 0; i < spec.inputs.size(); ++i) {
      inputs[i] = Tensor::view(spec.inputs[i].dtype, spec.inputs[i].shape,
                               static_cast<std::byte*>(operands[i]));
    }
    Tensor output = Tensor::view(spec.output.dtype, spec.output.shape,
                                 static_cast<std::byte*>(operands[spec.inputs.size()]));
    std::memset(output.data(), 0, output.bytes());
    kernel(spec.attributes, {inputs.data(), spec.inputs.size()}, output);
  }
};

Kernel plain_kernel(const PlainSpec& spec) {
  const PlainCall call{oracle::find_kernel(*spec.op), spec};
  OL_ASSERT(call.kernel != nullptr, "no kernel for " + std::string(spec.op->name));
  OL_ASSERT(spec.inputs.size() <= PlainCall::kMaxInputs, "too many operands");
  return {PlainCall::run, std::make_shared<const PlainCall>(call)};
}

Kernel copy_kernel(const CopySpec& spec) {
  return {[](const void* state, void* const* operands) {
            std::memcpy(operands[1], operands[0], *static_cast<const size_t*>(state));
          },
          std::make_shared<const size_t>(static_cast<size_t>(spec.bytes))};
}

struct KernelOf {
  Isa isa;
  KernelCache::Impl& kernels;

  Kernel operator()(const LoopSpec& spec) const { return kernels.get(make_loop, spec, isa); }
  Kernel operator()(const MatmulSpec& spec) const { return kernels.get(make_matmul, spec, isa); }
  Kernel operator()(const ConvSpec& spec) const { return kernels.get(make_conv, spec, isa); }
  Kernel operator()(const MoveSpec& spec) const { return kernels.get(make_moves, spec, isa); }
  Kernel operator()(const MaxPoolSpec& spec) const { return make_max_pool_index(spec, isa); }
  Kernel operator()(const PlainSpec& spec) const { return plain_kernel(spec); }
  Kernel operator()(const CopySpec& spec) const { return copy_kernel(spec); }
  Kernel operator()(const IndexSpec& spec) const {
    const RowsSpec& rows = spec.rows;
    switch (spec.kind) {
      case IndexKind::gather_rows:
        return kernels.get(make_gather_rows, rows, isa);
      case IndexKind::scatter_add_rows:
        return kernels.get(make_scatter_add_rows, rows, isa);
      case IndexKind::take:
        return make_take(rows.dtype, rows.count);
      case IndexKind::scatter_add:
        return make_scatter_add(rows.dtype, rows.count, rows.extent);
      case IndexKind::take_per_row:
        return make_take_per_row(rows.dtype, rows.outer, rows.extent);
      case IndexKind::put_per_row:
        return make_put_per_row(rows.dtype, rows.outer, rows.extent);
      case IndexKind::one_hot:
        break;
    }
    return make_one_hot(rows.dtype, rows.outer, rows.extent);
  }
};

StepList with_kernels(StepTable table, const KernelOf& kernel_of) {
  StepList list{.first_operand = std::move(table.first_operand),
                .operands = std::move(table.operands),
                .equation = std::move(table.equation)};
  for (const StepSpec& spec : table.specs) list.kernels.push_back(std::visit(kernel_of, spec));
  return list;
}

}  // namespace

std::unique_ptr<const Executable::Impl> plan(Program optimised, Isa isa, KernelCache& kernels) {
  ProgramPlan planned = plan_program(std::move(optimised));
  const KernelOf kernel_of{isa, kernels.impl()};
  return std::make_unique<const Executable::Impl>(
      Executable::Impl{.isa = isa,
                       .optimised = std::move(planned.optimised),
                       .shared = with_kernels(std::move(planned.shared), kernel_of),
                       .lane = with_kernels(std::move(planned.lane), kernel_of),
                       .lane_arena_bytes = planned.lane_arena_bytes,
                       .shared_arena_bytes = planned.shared_arena_bytes,
                       .peak_live_bytes = planned.peak_live_bytes,
                       .lane_flops = planned.lane_flops,
                       .shared_flops = planned.shared_flops});
}

}  // namespace outerloop::exec
