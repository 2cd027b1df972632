#include "exec/cpu/copy.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "exec/cpu/copy_transpose.h"
#include "fmt/format.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

// A move in canonical form: no extents of one, axes merged where both sides walk them as one, and
// the axis that is contiguous in the target last. Strides and offsets in bytes.
struct Box {
  struct Axis {
    int64_t extent, source, target;
  };
  std::vector<Axis> axes;
  int64_t source_offset = 0, target_offset = 0;
};

Box make_box(const Move& move, int64_t bytes) {
  Box box{{}, move.source_offset * bytes, move.target_offset * bytes};
  for (size_t i = 0; i < move.extents.size(); ++i) {
    if (move.extents[i] == 1) continue;
    box.axes.push_back({move.extents[i], move.source[i] * bytes, move.target[i] * bytes});
  }
  // From the largest target stride to the smallest: order among axes is free, as elements of the
  // target are written once.
  std::ranges::stable_sort(box.axes, std::ranges::greater{},
                           [](const Box::Axis& axis) { return std::abs(axis.target); });
  for (size_t i = box.axes.size(); i-- > 1;) {
    const Box::Axis& inner = box.axes[i];
    Box::Axis& outer = box.axes[i - 1];
    if (outer.source != inner.source * inner.extent ||
        outer.target != inner.target * inner.extent) {
      continue;
    }
    outer = {outer.extent * inner.extent, inner.source, inner.target};
    box.axes.erase(box.axes.begin() + static_cast<ptrdiff_t>(i));
  }
  if (box.axes.empty()) box.axes.push_back({1, bytes, bytes});
  return box;
}

// One kernel call of a move, or of the fill.
struct Part {
  Kernel kernel;
  int source = -1;  // operand; -1: none
  int64_t source_offset = 0, target_offset = 0;
};

struct Parts {
  std::vector<Part> parts;
  size_t target = 0;  // operand
};

void run_parts(const void* state, void* const* operands) {
  const auto& all = *static_cast<const Parts*>(state);
  char* target = static_cast<char*>(operands[all.target]);
  for (const Part& part : all.parts) {
    void* pointers[2];
    size_t count = 0;
    if (part.source >= 0) {
      pointers[count++] = static_cast<char*>(operands[part.source]) + part.source_offset;
    }
    pointers[count] = target + part.target_offset;
    part.kernel(pointers);
  }
}

DType dtype_of_size(int64_t bytes) {
  return bytes == 4 ? DType::f32 : DType::f64;
}

// The plain copy of a box, and of boxes that no generated kernel takes.
struct PlainBox {
  Box box;
  int64_t bytes;
};

void run_plain_box(const void* state, void* const* operands) {
  const auto& [box, bytes] = *static_cast<const PlainBox*>(state);
  const char* from = static_cast<const char*>(operands[0]);
  char* to = static_cast<char*>(operands[1]);
  int64_t count = 1;
  for (const Box::Axis& axis : box.axes) count *= axis.extent;
  for (int64_t i = 0; i < count; ++i) {
    int64_t left = i, source = 0, target = 0;
    for (size_t a = box.axes.size(); a-- > 0;) {
      const int64_t place = left % box.axes[a].extent;
      left /= box.axes[a].extent;
      source += place * box.axes[a].source;
      target += place * box.axes[a].target;
    }
    std::memcpy(to + target, from + source, static_cast<size_t>(bytes));
  }
}

Kernel plain_box(const Box& box, int64_t bytes) {
  return Kernel(run_plain_box, std::make_shared<const PlainBox>(PlainBox{box, bytes}));
}

// A box that is contiguous along different axes on its two sides.
Kernel try_transpose(const Box& box, int64_t bytes, Isa isa) {
  const Box::Axis& rows = box.axes.back();
  const auto columns = std::ranges::find(box.axes, bytes, &Box::Axis::source);
  if (rows.target != bytes || rows.source == bytes || rows.source == 0 ||
      columns == box.axes.end()) {
    return {};
  }
  TransposeNest nest{.dtype = dtype_of_size(bytes),
                     .rows = rows.extent,
                     .columns = columns->extent,
                     .source_row = rows.source,
                     .target_column = columns->target};
  for (auto axis = box.axes.begin(); axis + 1 != box.axes.end(); ++axis) {
    if (axis == columns) continue;
    nest.outer.push_back(axis->extent);
    nest.outer_source.push_back(axis->source);
    nest.outer_target.push_back(axis->target);
  }
  return make_transpose(nest, isa);
}

Kernel identity_loop(const Box& box, int64_t bytes, Isa isa) {
  if (box.axes.size() > kMaxLoopRank) return {};
  LoopSpec spec{.dtype = dtype_of_size(bytes), .inputs = {{}}, .outputs = {{}}};
  for (size_t i = 0; i < box.axes.size(); ++i) {
    spec.extents.push_back(box.axes[i].extent);
    spec.inputs[0][i] = box.axes[i].source / bytes;
    spec.outputs[0].strides[i] = box.axes[i].target / bytes;
  }
  ScalarBuilder builder(spec.dtype, 1);
  spec.body = builder.finish(std::array{builder.input(0)});
  return make_loop(spec, isa);
}

Kernel make_box_kernel(const Box& box, int64_t bytes, Isa isa) {
  if (isa == Isa::scalar) return plain_box(box, bytes);
  if (Kernel kernel = try_transpose(box, bytes, isa)) return kernel;
  if (Kernel kernel = identity_loop(box, bytes, isa)) return kernel;
  return plain_box(box, bytes);
}

Kernel make_zeros(int64_t elements, int64_t bytes, Isa isa) {
  LoopSpec spec{.dtype = dtype_of_size(bytes), .extents = {elements}};
  ScalarBuilder builder(spec.dtype, 0);
  spec.body = builder.finish(std::array{builder.constant(0)});
  spec.outputs = {{LoopOutputKind::store, {1}}};
  return make_loop(spec, isa);
}

}  // namespace

Kernel make_moves(const MoveSpec& spec, Isa isa) {
  const int64_t bytes = spec.element_bytes;
  if (bytes != 4 && bytes != 8) {
    throw BadInput(fmt::format("elements to move must have 4 or 8 bytes, came {}", bytes));
  }
  Parts all{{}, spec.moves.size()};
  if (spec.fills) all.parts.push_back({make_zeros(spec.target_elements, bytes, isa)});
  for (size_t i = 0; i < spec.moves.size(); ++i) {
    const Box box = make_box(spec.moves[i], bytes);
    all.parts.push_back({make_box_kernel(box, bytes, isa), static_cast<int>(i), box.source_offset,
                         box.target_offset});
  }
  const bool alone = all.parts.size() == 1 && !spec.fills;
  if (alone && all.parts[0].source_offset == 0 && all.parts[0].target_offset == 0) {
    return all.parts[0].kernel;
  }
  return Kernel(run_parts, std::make_shared<const Parts>(std::move(all)));
}

}  // namespace outerloop::exec
