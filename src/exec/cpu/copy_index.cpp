// Gather and scatter by int32 indices. Rows are copied and added by generated loops, one call per
// index; single elements by plain code, as their cost is that of the memory.

#include <algorithm>
#include <cstring>
#include <numeric>

#include "exec/cpu/copy.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

template <class Shape>
Kernel with_state(Kernel::Function function, Shape shape) {
  return Kernel(function, std::make_shared<const Shape>(std::move(shape)));
}

template <template <class> class Run, class Shape>
Kernel by_float(DType dtype, Shape shape) {
  OL_ASSERT(is_floating(dtype), "index kernels move float32 and float64");
  return with_state(dtype == DType::f32 ? Run<float>::run : Run<double>::run, std::move(shape));
}

struct Rows {
  RowsSpec spec;
  int64_t row_bytes;
  Kernel row;  // copies a row, or adds one to another (operands: from, to)
};

Rows make_rows(const RowsSpec& spec, bool adds, Isa isa) {
  LoopSpec loop{.dtype = spec.dtype, .extents = {spec.inner}, .inputs = {{1}}};
  ScalarBuilder builder(spec.dtype, adds ? 2 : 1);
  if (adds) loop.inputs.push_back({1});
  const Scalar result = adds ? builder.input(0) + builder.input(1) : builder.input(0);
  loop.body = builder.finish(std::array{result});
  loop.outputs = {{LoopOutputKind::store, {1}}};
  return {spec, spec.inner * static_cast<int64_t>(size_of(spec.dtype)), make_loop(loop, isa)};
}

void gather_rows(const void* state, void* const* operands) {
  const Rows& rows = *static_cast<const Rows*>(state);
  const RowsSpec& spec = rows.spec;
  char* from = static_cast<char*>(operands[0]);
  const auto* indices = static_cast<const int32_t*>(operands[1]);
  char* to = static_cast<char*>(operands[2]);
  for (int64_t o = 0; o < spec.outer; ++o, from += spec.extent * rows.row_bytes) {
    for (int64_t j = 0; j < spec.count; ++j, to += rows.row_bytes) {
      void* const pair[] = {from + indices[j] * rows.row_bytes, to};
      rows.row(pair);
    }
  }
}

void scatter_add_rows(const void* state, void* const* operands) {
  const Rows& rows = *static_cast<const Rows*>(state);
  const RowsSpec& spec = rows.spec;
  char* from = static_cast<char*>(operands[0]);
  const auto* indices = static_cast<const int32_t*>(operands[1]);
  char* to = static_cast<char*>(operands[2]);
  std::memset(to, 0, static_cast<size_t>(spec.outer * spec.extent * rows.row_bytes));
  for (int64_t o = 0; o < spec.outer; ++o, to += spec.extent * rows.row_bytes) {
    for (int64_t j = 0; j < spec.count; ++j, from += rows.row_bytes) {
      char* sum = to + indices[j] * rows.row_bytes;
      void* const triple[] = {sum, from, sum};
      rows.row(triple);
    }
  }
}

struct Counts {
  int64_t count;  // of indices
  int64_t other;  // columns of a row, or elements of the target
};

// The operands of a kernel, typed.
template <class T>
struct Operands {
  const T* from;
  const int32_t* indices;
  T* to;
  const Counts& counts;
  Operands(const void* state, void* const* operands)
      : from(static_cast<const T*>(operands[0])),
        indices(static_cast<const int32_t*>(operands[1])),
        to(static_cast<T*>(operands[2])),
        counts(*static_cast<const Counts*>(state)) {}
};

template <class T>
struct Take {
  static void run(const void* state, void* const* operands) {
    const Operands<T> o(state, operands);
    for (int64_t i = 0; i < o.counts.count; ++i) o.to[i] = o.from[o.indices[i]];
  }
};

template <class T>
struct ScatterAdd {
  static void run(const void* state, void* const* operands) {
    const Operands<T> o(state, operands);
    std::fill_n(o.to, o.counts.other, T{0});
    for (int64_t i = 0; i < o.counts.count; ++i) o.to[o.indices[i]] += o.from[i];
  }
};

template <class T>
struct TakePerRow {
  static void run(const void* state, void* const* operands) {
    const Operands<T> o(state, operands);
    for (int64_t i = 0; i < o.counts.count; ++i) {
      o.to[i] = o.from[i * o.counts.other + o.indices[i]];
    }
  }
};

template <class T>
struct PutPerRow {
  static void run(const void* state, void* const* operands) {
    const Operands<T> o(state, operands);
    std::fill_n(o.to, o.counts.count * o.counts.other, T{0});
    for (int64_t i = 0; i < o.counts.count; ++i) {
      o.to[i * o.counts.other + o.indices[i]] = o.from[i];
    }
  }
};

template <class T>
struct OneHot {
  static void run(const void* state, void* const* operands) {
    const auto& [rows, columns] = *static_cast<const Counts*>(state);
    const auto* labels = static_cast<const int32_t*>(operands[0]);
    T* to = static_cast<T*>(operands[1]);
    std::fill_n(to, rows * columns, T{0});
    for (int64_t i = 0; i < rows; ++i) to[i * columns + labels[i]] = T{1};
  }
};

}  // namespace

Kernel make_gather_rows(const RowsSpec& spec, Isa isa) {
  if (spec.outer == 1 && spec.inner == 1) return make_take(spec.dtype, spec.count);
  return with_state(gather_rows, make_rows(spec, false, isa));
}

Kernel make_scatter_add_rows(const RowsSpec& spec, Isa isa) {
  if (spec.outer == 1 && spec.inner == 1) {
    return make_scatter_add(spec.dtype, spec.count, spec.extent);
  }
  return with_state(scatter_add_rows, make_rows(spec, true, isa));
}

Kernel make_take(DType dtype, int64_t count) {
  return by_float<Take>(dtype, Counts{count, 0});
}

Kernel make_scatter_add(DType dtype, int64_t count, int64_t elements) {
  return by_float<ScatterAdd>(dtype, Counts{count, elements});
}

Kernel make_take_per_row(DType dtype, int64_t rows, int64_t columns) {
  return by_float<TakePerRow>(dtype, Counts{rows, columns});
}

Kernel make_put_per_row(DType dtype, int64_t rows, int64_t columns) {
  return by_float<PutPerRow>(dtype, Counts{rows, columns});
}

Kernel make_one_hot(DType dtype, int64_t rows, int64_t columns) {
  return by_float<OneHot>(dtype, Counts{rows, columns});
}

}  // namespace outerloop::exec
