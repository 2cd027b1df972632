#include "exec/cuda/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "exec/cuda/device_text.h"
#include "outerloop/base/hash.h"
#include "outerloop/ir/op_def.h"

namespace outerloop::exec::cuda {
namespace {

StepKernel with_all_operands(std::string_view kind, KernelCode code) {
  StepKernel kernel{std::move(code), {}};
  kernel.code.kind = kind;
  kernel.operands.resize(static_cast<size_t>(kernel.code.operands));
  std::iota(kernel.operands.begin(), kernel.operands.end(), 0);
  return kernel;
}

struct KernelsOf {
  Team team;

  using Kernels = std::vector<StepKernel>;
  Kernels operator()(const LoopSpec& spec) const {
    const bool reduces = std::ranges::any_of(spec.outputs, [](const LoopOutput& output) {
      return output.kind != LoopOutputKind::store;
    });
    return {with_all_operands(reduces ? "reduction" : "loop", loop_kernel(spec, team))};
  }
  Kernels operator()(const MatmulSpec& spec) const {
    return {with_all_operands("product", matmul_kernel(spec, team))};
  }
  Kernels operator()(const ConvSpec& spec) const {
    return {with_all_operands("convolution", conv_kernel(spec, team))};
  }
  Kernels operator()(const IndexSpec& spec) const {
    return {with_all_operands("index", index_kernel(spec, team))};
  }
  Kernels operator()(const MaxPoolSpec& spec) const {
    return {with_all_operands("max_pool", max_pool_kernel(spec, team))};
  }
  Kernels operator()(const PlainSpec& spec) const {
    return {with_all_operands(spec.op->name, plain_kernel(spec, team))};
  }
  Kernels operator()(const MoveSpec& spec) const { return move_kernels(spec, team); }
  // Elements of all types are whole numbers of four bytes.
  Kernels operator()(const CopySpec& spec) const {
    const int64_t words = spec.bytes / 4;
    return move_kernels(
        {.moves = {{.extents = {words}, .source = {1}, .target = {1}}}, .target_elements = words},
        team);
  }
};

}  // namespace

std::string_view device_prelude() {
  static const std::string text = [] {
    std::string all;
    for (std::string_view part : device_headers()) all += part;
    return all;
  }();
  return text;
}

KernelSource named(std::string_view kind,
                   const std::function<std::string(const std::string& name)>& text) {
  const std::string nameless = text("");
  const std::string name =
      fmt::format("ol_{}_{}", kind, to_hex(xxh3_128(std::as_bytes(std::span(nameless)))));
  return {.name = name, .text = text(name)};
}

KernelSource kernel_source(const KernelCode& code) {
  return named(code.kind, [&](const std::string& name) {
    return fmt::format(
        "namespace {0}_code {{\n{1}}}\n"
        "extern \"C\" __global__ void __launch_bounds__({2})\n"
        "    {0}(const ol::Operands<{3}> operands) {{\n"
        "  __shared__ double scratch[{5}];\n"
        "  const unsigned lane = blockIdx.x / {4}U;\n"
        "  {0}_code::run(ol::Pointers<{3}>(operands, lane), blockIdx.x - lane * {4}U,\n"
        "                reinterpret_cast<char*>(scratch));\n"
        "}}\n",
        name, code.run, code.threads, code.operands, code.blocks, code.scratch_bytes / 8 + 1);
  });
}

std::vector<StepKernel> kernels_of(const StepSpec& spec, const Team& team) {
  std::vector<StepKernel> kernels = std::visit(KernelsOf{team}, spec);
  std::erase_if(kernels, [](const StepKernel& kernel) { return kernel.code.blocks == 0; });
  return kernels;
}

}  // namespace outerloop::exec::cuda
