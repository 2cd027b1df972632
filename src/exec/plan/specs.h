#pragma once
// What a kernel does, told apart from the machine that runs it. Sizes and strides (in elements) are
// known at plan time; only base pointers come at run time. Each executor turns a spec into code of
// its own that gives the bits which outerloop/tensor/ordered.h defines.

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "outerloop/ir/program.h"
#include "outerloop/ir/scalar.h"
#include "outerloop/tensor/dtype.h"
#include "outerloop/tensor/shape.h"

namespace outerloop::exec {

inline constexpr int kMaxLoopRank = Shape::kMaxRank;
using LoopStrides = std::array<int64_t, kMaxLoopRank>;

enum class LoopOutputKind : uint8_t {
  store,           // one element per iteration
  sum_contiguous,  // over the last extent
  max_contiguous,
  sum_rows,  // over the last but one extent
  max_rows,
};

struct LoopOutput {
  LoopOutputKind kind = LoopOutputKind::store;
  LoopStrides strides{};  // of a reduced extent: 0
};

// An elementwise loop nest with optional reductions: for every index over `extents` (outermost
// first, rank >= 1), the body is evaluated on the inputs. Operands: inputs, then outputs.
// All reductions of one spec reduce the same extent. The innermost stride of each operand is 0 or
// 1 for vector speed; any other stride is allowed and slower. An output may be the same memory as
// an input of equal strides (in-place).
struct LoopSpec {
  DType dtype = DType::f32;
  std::vector<int64_t> extents;
  std::vector<LoopStrides> inputs;
  ScalarBody body;  // inputs in order; one output per entry of `outputs`
  std::vector<LoopOutput> outputs;
};

// Applied to accumulators before they are stored. The body's input 0 is the accumulator, the
// others are `inputs`; one body output per entry of `outputs`. Strides are (batch, row, column);
// column strides are 0 or 1, and 1 for outputs.
using TileStrides = std::array<int64_t, 3>;
struct Epilogue {
  ScalarBody body;
  std::vector<TileStrides> inputs;
  std::vector<TileStrides> outputs;
};

// C[b, i, j] = chain over p of A[b, i, p] * B[b, p, j], in rising p. Operands: A, B, epilogue
// inputs, epilogue outputs. The stride of j is 1 in B; A has any strides (so A may be transposed).
struct MatmulSpec {
  DType dtype = DType::f32;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  int64_t a_batch = 0, a_row = 0, a_k = 1;
  int64_t b_batch = 0, b_k = 0;
  Epilogue epilogue;
};

// 2-D convolution in NHWC, weights HWIO, cross-correlation:
//   y[n, i, j, o] = chain over taps (p, q) inside the image and c of
//                   x[n, i*stride+p-pad_top, j*stride+q-pad_left, c] * w[p, q, c, o]
enum class ConvDirection : uint8_t {
  forward,  // operands x (N,H,W,C), w (kh,kw,C,O)     -> y (N,OH,OW,O), rows are output pixels
  input,    // operands dy (N,OH,OW,O), w^T (kh,kw,O,C) -> dx (N,H,W,C), rows are input pixels
  filter,   // operands x (N,H,W,C), dy (N,OH,OW,O)     -> dw (kh,kw,C,O), rows are (tap, c)
};
struct ConvGeometry {
  int64_t images = 0, height = 0, width = 0, in_channels = 0;
  int64_t out_height = 0, out_width = 0, out_channels = 0;
  int64_t kernel_height = 3, kernel_width = 3, stride = 1, pad_top = 0, pad_left = 0;
};
// Operands: the two above, epilogue inputs, epilogue outputs (batch strides unused).
struct ConvSpec {
  DType dtype = DType::f32;
  ConvDirection direction = ConvDirection::forward;
  ConvGeometry geometry;
  Epilogue epilogue;
};

// One box of elements, from one buffer to another: for every index over `extents` (outermost
// first, any rank), target[target_offset + index . target] = source[source_offset + index .
// source].
struct Move {
  std::vector<int64_t> extents;
  std::vector<int64_t> source;
  std::vector<int64_t> target;
  int64_t source_offset = 0;
  int64_t target_offset = 0;
};

// Operands: the source of each move, then the target. The moves write different elements and read
// nothing that they write. What no move writes becomes zero where `fills` asks for it.
struct MoveSpec {
  int element_bytes = 4;
  std::vector<Move> moves;
  bool fills = false;
  int64_t target_elements = 0;  // of the whole target, for the fill
};

// A tensor seen around one axis: (outer, extent, inner), row-major.
struct RowsSpec {
  DType dtype = DType::f32;
  int64_t outer = 1;
  int64_t extent = 0;  // rows that indices choose from
  int64_t inner = 1;   // elements of a row
  int64_t count = 0;   // indices
};

// x (images, height, width, channels): for each window of `window` squared elements, `stride`
// apart, the flat index of its largest element, the first of equal ones (a NaN is never larger than
// another element, nor another larger than it). Operands: x, y (int32).
struct MaxPoolSpec {
  DType dtype = DType::f32;
  int64_t images = 0, height = 0, width = 0, channels = 0;
  int64_t window = 2, stride = 2;

  int64_t out_height() const { return (height - window) / stride + 1; }
  int64_t out_width() const { return (width - window) / stride + 1; }
};

// Led by int32 indices, from 0 to the last, so that sums over equal indices have one order.
// Indices must be inside their range: kernels do not check them.
enum class IndexKind : uint8_t {
  gather_rows,       // y[o, j, :] = x[o, index[j], :]. Operands: x, indices, y
  scatter_add_rows,  // y = 0, then y[o, index[j], :] += u[o, j, :]. Operands: u, indices, y
  take,              // gather_rows of single elements: outer = inner = 1
  scatter_add,       // scatter_add_rows of single elements
  take_per_row,      // y[o] = x[o, index[o]]. Operands: x, indices, y
  put_per_row,       // y = 0, then y[o, index[o]] = u[o]. Operands: u, indices, y
  one_hot,           // y = 0, then y[o, index[o]] = 1. Operands: indices, y
};
struct IndexSpec {
  IndexKind kind = IndexKind::take;
  RowsSpec rows;
  // The indices are what max_pool_index gives here: those of a window point into it.
  std::optional<MaxPoolSpec> windows;
};

// An op outside of the families above, as its record says. Operands: its inputs, its output.
struct PlainSpec {
  const OpDef* op = nullptr;
  Attributes attributes;
  std::vector<TensorType> inputs;
  TensorType output;
};

// Operands: source, target.
struct CopySpec {
  int64_t bytes = 0;
};

using StepSpec = std::variant<LoopSpec, MatmulSpec, ConvSpec, MoveSpec, IndexSpec, MaxPoolSpec,
                              PlainSpec, CopySpec>;

}  // namespace outerloop::exec
