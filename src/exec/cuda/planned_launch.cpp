#include "exec/cuda/planned_launch.h"

#include <algorithm>
#include <array>

#include "exec/cuda/gemm_calls.h"
#include "exec/plan/lowering.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int64_t kAlignmentBytes = 256;

int64_t product_bytes(const DeviceProduct& product) {
  return product.batch * product.c_batch * static_cast<int64_t>(size_of(product.dtype));
}

// The product goes where the step's result belongs: nothing follows it.
bool is_all(const MatmulSpec& spec) {
  const Epilogue& e = spec.epilogue;
  if (!e.inputs.empty() || e.outputs.size() != 1) return false;
  const auto& [batch, row, column] = e.outputs[0];
  return (spec.batch == 1 || batch == spec.m * spec.n) && (spec.m == 1 || row == spec.n) &&
         (spec.n == 1 || column == 1) && e.body == identity_body(spec.dtype);
}

// The epilogue as a loop over what the product left. Operands: that, then the epilogue's.
LoopSpec epilogue_loop(const MatmulSpec& spec) {
  const auto strides = [](const TileStrides& s) { return LoopStrides{s[0], s[1], s[2]}; };
  LoopSpec loop{.dtype = spec.dtype,
                .extents = {spec.batch, spec.m, spec.n},
                .inputs = {{spec.m * spec.n, spec.n, 1}},
                .body = spec.epilogue.body};
  for (const TileStrides& input : spec.epilogue.inputs) loop.inputs.push_back(strides(input));
  for (const TileStrides& output : spec.epilogue.outputs) {
    loop.outputs.push_back({.strides = strides(output)});
  }
  return loop;
}

}  // namespace

std::vector<PlannedLaunch> KernelList::launches(const StepTable& table, Place arena,
                                                int64_t& arena_bytes) {
  const int64_t room = (arena_bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
  std::vector<PlannedLaunch> result;
  for (size_t s = 0; s < table.specs.size(); ++s) {
    const Location* operands = &table.operands[static_cast<size_t>(table.first_operand[s])];
    const Location* end = &table.operands[0] + table.first_operand[s + 1];
    const auto* matmul = std::get_if<MatmulSpec>(&table.specs[s]);
    if (const auto product =
            matmul != nullptr && multiplies_ ? product_of(*matmul) : std::nullopt) {
      if (!is_all(*matmul)) arena_bytes = std::max(arena_bytes, room + product_bytes(*product));
      add_product(*matmul, *product, operands, {arena, room}, result);
      continue;
    }
    for (const StepKernel& one : kernels_of(table.specs[s])) {
      result.push_back(kernel(one, {operands, end}));
    }
  }
  return result;
}

std::vector<PlannedLaunch> KernelList::launches(MegaKernel whole) {
  return {{.function = add(std::move(whole.source)),
           .blocks = 1,
           .threads = whole.threads,
           .operands = std::move(whole.operands)}};
}

PlannedLaunch KernelList::kernel(const StepKernel& kernel, const std::vector<Location>& operands) {
  PlannedLaunch launch{.function = add(kernel_source(kernel.code)),
                       .blocks = kernel.code.blocks,
                       .threads = kernel.code.threads};
  for (int operand : kernel.operands) {
    launch.operands.push_back(operands[static_cast<size_t>(operand)]);
  }
  return launch;
}

void KernelList::add_product(const MatmulSpec& spec, const DeviceProduct& product,
                             const Location* operands, const Location& room,
                             std::vector<PlannedLaunch>& launches) {
  const Location& c = is_all(spec) ? operands[2] : room;
  launches.push_back(
      {.product = product, .blocks = product.batch, .operands = {operands[0], operands[1], c}});
  if (is_all(spec)) return;
  std::vector<Location> of_epilogue{room};
  const size_t count = spec.epilogue.inputs.size() + spec.epilogue.outputs.size();
  of_epilogue.insert(of_epilogue.end(), operands + 2, operands + 2 + count);
  for (const StepKernel& one : kernels_of(epilogue_loop(spec))) {
    launches.push_back(kernel(one, of_epilogue));
  }
}

size_t KernelList::add(KernelSource source) {
  const auto [known, is_new] = places_.try_emplace(source.name, sources_.size());
  if (is_new) sources_.push_back(std::move(source));
  return known->second;
}

}  // namespace outerloop::exec::cuda
