// Elements that move, by strides or by index.

#include <fmt/format.h>

#include <numeric>

#include "exec/cuda/source_parts.h"

namespace outerloop::exec::cuda {
namespace {

// Operands of one kernel, so that their addresses fit its argument.
constexpr size_t kMostMoves = 100;

int64_t elements_of(const Move& move) {
  return std::accumulate(move.extents.begin(), move.extents.end(), int64_t{1}, std::multiplies<>());
}

// Bits travel as whole numbers.
std::string_view word(int bytes) {
  return bytes == 8 ? "unsigned long long" : "unsigned";
}

// The moves [first, end), each with blocks of its own.
StepKernel move_kernel(const MoveSpec& spec, size_t first, size_t end, const Team& team) {
  StepKernel kernel;
  const std::string_view type = word(spec.element_bytes);
  int64_t largest = 0;
  for (size_t m = first; m < end; ++m) largest = std::max(largest, elements_of(spec.moves[m]));
  const ElementLoop loop = element_loop(largest, team);
  kernel.code.kind = "move";
  kernel.code.threads = loop.threads;
  kernel.code.operands = static_cast<int>(end - first + 1);
  std::string text = run_head(kernel.code.operands);
  for (size_t m = first; m < end; ++m) {
    const Move& move = spec.moves[m];
    const int64_t count = elements_of(move);
    const int64_t blocks = count == 0 ? 0 : blocks_for(count, loop.per_block);
    kernel.operands.push_back(static_cast<int>(m));
    if (blocks == 0) continue;
    text += fmt::format(
        "if (block - {0}U < {1}U) {{\n"
        "const unsigned start = (block - {0}U) * {2}U;\n"
        "const unsigned end = start + {2}U < {3}U ? start + {2}U : {3}U;\n"
        "for (unsigned e = start + threadIdx.x; e < end; e += {4}U) {{\n{5}",
        kernel.code.blocks, blocks, loop.per_block, count, loop.threads,
        print_axes("e", move.extents, "i"));
    text += fmt::format("p.get<{0}>({1})[{2}] = p.get<{0}>({3})[{4}];\n}}\n}}\n", type, end - first,
                        print_offset(move.extents, move.target, "i", move.target_offset), m - first,
                        print_offset(move.extents, move.source, "i", move.source_offset));
    kernel.code.blocks += blocks;
  }
  kernel.operands.push_back(static_cast<int>(spec.moves.size()));
  kernel.code.run = text + "}\n";
  return kernel;
}

std::string windows_struct(const MaxPoolSpec& spec) {
  return fmt::format(
      "struct Windows {{\nstatic constexpr int kHeight = {}, kWidth = {}, kChannels = {}, "
      "kOutHeight = {}, kOutWidth = {}, kWindow = {}, kStride = {};\n}};\n",
      spec.height, spec.width, spec.channels, spec.out_height(), spec.out_width(), spec.window,
      spec.stride);
}

}  // namespace

std::vector<StepKernel> move_kernels(const MoveSpec& spec, const Team& team) {
  std::vector<StepKernel> kernels;
  const int target = static_cast<int>(spec.moves.size());
  if (spec.fills) {
    KernelCode fill =
        element_kernel(1, spec.target_elements, team,
                       fmt::format("p.get<{}>(0)[e] = 0;\n", word(spec.element_bytes)));
    fill.kind = "zeros";
    kernels.push_back({std::move(fill), {target}});
  }
  for (size_t first = 0; first < spec.moves.size(); first += kMostMoves) {
    kernels.push_back(
        move_kernel(spec, first, std::min(first + kMostMoves, spec.moves.size()), team));
  }
  return kernels;
}

KernelCode index_kernel(const IndexSpec& spec, const Team& team) {
  const RowsSpec& r = spec.rows;
  const std::string_view type = type_name(r.dtype);
  const std::string x = fmt::format("p.get<{}>(0)", type);
  const std::string indices = "p.get<int>(1)";
  const auto kernel = [&](int operands, int64_t count, const std::string& value) {
    return element_kernel(operands, count, team,
                          fmt::format("p.get<{}>({})[e] = {};\n", type, operands - 1, value));
  };
  const auto rows = [&](std::string_view function) {
    return fmt::format("ol::{}<{}, {}, {}>({}, {}, e)", function, r.extent, r.inner, r.count, x,
                       indices);
  };
  // Whether element e of a matrix is the one that the index of its row names.
  const auto named = [&](std::string_view index) {
    return fmt::format("{}[e / {}U] == static_cast<int>(e % {}U)", index, r.extent, r.extent);
  };
  switch (spec.kind) {
    case IndexKind::gather_rows:
      return kernel(3, r.outer * r.count * r.inner, rows("gather_rows"));
    case IndexKind::take:
      return kernel(3, r.count, fmt::format("{}[{}[e]]", x, indices));
    case IndexKind::take_per_row:
      return kernel(3, r.count, fmt::format("{}[e * {}U + {}[e]]", x, r.extent, indices));
    case IndexKind::put_per_row:
      return kernel(3, r.outer * r.extent,
                    fmt::format("{} ? {}[e / {}U] : {}(0)", named(indices), x, r.extent, type));
    case IndexKind::one_hot:
      return kernel(2, r.outer * r.extent,
                    fmt::format("{0} ? {1}(1) : {1}(0)", named("p.get<int>(0)"), type));
    case IndexKind::scatter_add_rows:
    case IndexKind::scatter_add:
      break;
  }
  const int64_t count = r.outer * r.extent * r.inner;
  if (!spec.windows) return kernel(3, count, rows("scatter_add_rows"));
  KernelCode code =
      kernel(3, count, fmt::format("ol::scatter_windows<Windows>({}, {}, e)", x, indices));
  code.run = windows_struct(*spec.windows) + code.run;
  return code;
}

KernelCode max_pool_kernel(const MaxPoolSpec& spec, const Team& team) {
  KernelCode code = element_kernel(
      2, spec.images * spec.out_height() * spec.out_width() * spec.channels, team,
      fmt::format("p.get<int>(1)[e] = ol::max_pool_index<Windows>(p.get<{}>(0), e);\n",
                  type_name(spec.dtype)));
  code.run = windows_struct(spec) + code.run;
  return code;
}

}  // namespace outerloop::exec::cuda
