#include "exec/plan/loop_nest.h"

#include <algorithm>

#include "fmt/format.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

// The spec with strides of all operands in one list.
struct Axes {
  std::vector<int64_t> extents;
  std::vector<LoopStrides> strides;

  void drop(size_t axis) {
    extents.erase(extents.begin() + static_cast<ptrdiff_t>(axis));
    for (LoopStrides& s : strides) {
      std::shift_left(s.begin() + static_cast<ptrdiff_t>(axis), s.end(), 1);
      s.back() = 0;
    }
  }
  bool merges_with_next(size_t axis) const {
    return std::ranges::all_of(
        strides, [&](const LoopStrides& s) { return s[axis] == s[axis + 1] * extents[axis + 1]; });
  }
};

// The last `fixed` axes have a meaning of their own and stay as they are.
void collapse(Axes& axes, size_t fixed) {
  for (size_t axis = axes.extents.size() - fixed; axis-- > 0;) {
    if (axes.extents[axis] == 1 && axes.extents.size() > 1) axes.drop(axis);
  }
  for (size_t axis = axes.extents.size() - fixed; axis-- > 1;) {
    if (!axes.merges_with_next(axis - 1)) continue;
    axes.extents[axis] *= axes.extents[axis - 1];
    axes.drop(axis - 1);
  }
}

void check(const LoopSpec& spec, Reduction reduction) {
  const size_t rank = spec.extents.size();
  const size_t least = reduction == Reduction::rows ? 2 : 1;
  if (rank < least || rank > kMaxLoopRank || !is_floating(spec.dtype)) {
    throw BadInput(fmt::format("a loop needs {} to {} extents and a float type, came {} of {}",
                               least, kMaxLoopRank, rank, name_of(spec.dtype)));
  }
  if (static_cast<size_t>(spec.body.input_count) != spec.inputs.size() ||
      spec.body.outputs.size() != spec.outputs.size()) {
    throw BadInput(fmt::format("a loop body of {} inputs and {} outputs came with {} and {}",
                               spec.body.input_count, spec.body.outputs.size(), spec.inputs.size(),
                               spec.outputs.size()));
  }
  for (const LoopOutput& output : spec.outputs) {
    const Reduction kind = reduction_of(output.kind);
    if (kind == Reduction::none) continue;
    const size_t reduced = kind == Reduction::rows ? rank - 2 : rank - 1;
    if (kind != reduction || output.strides[reduced] != 0) {
      throw BadInput("reductions of a loop must share one axis, over which they have stride 0");
    }
  }
}

Reduction reduction_of(const LoopSpec& spec) {
  for (const LoopOutput& output : spec.outputs) {
    if (output.kind != LoopOutputKind::store) return exec::reduction_of(output.kind);
  }
  return Reduction::none;
}

}  // namespace

Reduction reduction_of(LoopOutputKind kind) {
  switch (kind) {
    case LoopOutputKind::store:
      return Reduction::none;
    case LoopOutputKind::sum_contiguous:
    case LoopOutputKind::max_contiguous:
      return Reduction::contiguous;
    case LoopOutputKind::sum_rows:
    case LoopOutputKind::max_rows:
      break;
  }
  return Reduction::rows;
}

bool is_maximum(LoopOutputKind kind) {
  return kind == LoopOutputKind::max_contiguous || kind == LoopOutputKind::max_rows;
}

void LoopNest::rows_to_outer() {
  outer.push_back(rows);
  for (Operand& operand : operands) {
    operand.outer.push_back(operand.row);
    operand.row = 0;
  }
  rows = 1;
}

LoopNest make_nest(const LoopSpec& spec) {
  LoopNest nest{.dtype = spec.dtype, .body = spec.body, .reduction = reduction_of(spec)};
  check(spec, nest.reduction);
  Axes axes{spec.extents, spec.inputs};
  for (const LoopOutput& output : spec.outputs) {
    axes.strides.push_back(output.strides);
    nest.outputs.push_back(output.kind);
  }
  const size_t fixed = nest.reduction == Reduction::none         ? 0
                       : nest.reduction == Reduction::contiguous ? 1
                                                                 : 2;
  collapse(axes, fixed);
  const size_t rank = axes.extents.size();
  // Without rows of its own, a contiguous reduction runs over the columns of each outer index.
  const bool has_rows = rank >= 2 && nest.reduction != Reduction::contiguous;
  const size_t outer = rank - (has_rows ? 2 : 1);
  nest.outer.assign(axes.extents.begin(), axes.extents.begin() + static_cast<ptrdiff_t>(outer));
  if (has_rows) nest.rows = axes.extents[rank - 2];
  nest.columns = axes.extents[rank - 1];
  const auto bytes = static_cast<int64_t>(size_of(spec.dtype));
  for (const LoopStrides& strides : axes.strides) {
    LoopNest::Operand operand;
    for (size_t axis = 0; axis < outer; ++axis) operand.outer.push_back(strides[axis] * bytes);
    if (has_rows) operand.row = strides[rank - 2] * bytes;
    operand.column = strides[rank - 1] * bytes;
    // A single row or column has no next one.
    if (nest.rows == 1) operand.row = 0;
    if (nest.columns == 1 && operand.column != 0) operand.column = bytes;
    nest.operands.push_back(std::move(operand));
  }
  for (size_t k = 0; k < nest.outputs.size(); ++k) {
    LoopNest::Operand& output = nest.operands[nest.input_count() + k];
    if (nest.columns == 1 && reduction_of(nest.outputs[k]) != Reduction::contiguous) {
      output.column = bytes;
    }
  }
  return nest;
}

}  // namespace outerloop::exec
