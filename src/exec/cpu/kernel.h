#pragma once
// What a CPU kernel is, and the plan-time descriptions from which kernels are made.
//
// Sizes and strides (in elements) are known at plan time; only base pointers come at run time.
// Each make_* function returns generated machine code on AVX-512 and AVX2, and the plain ordered
// loop with std::fma (the oracle) for Isa::scalar. All three give the same bits
// (outerloop/tensor/ordered.h).

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "outerloop/exec/isa.h"
#include "outerloop/ir/scalar.h"
#include "outerloop/tensor/dtype.h"
#include "outerloop/tensor/shape.h"

namespace outerloop::exec {

// A compiled kernel. Calling it costs one indirect call. Operand pointers come in the order that
// the spec states; they need the alignment of their element type only.
class Kernel {
 public:
  using Function = void (*)(const void* state, void* const* operands);
  Kernel() = default;
  Kernel(Function entry, std::shared_ptr<const void> owner)
      : function_(entry), state_(std::move(owner)) {}

  void operator()(void* const* operands) const { function_(state_.get(), operands); }
  Function function() const { return function_; }
  const void* state() const { return state_.get(); }
  const std::shared_ptr<const void>& owner() const { return state_; }
  explicit operator bool() const { return function_ != nullptr; }

 private:
  Function function_ = nullptr;
  std::shared_ptr<const void> state_;  // code, constants, offset tables
};

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
Kernel make_loop(const LoopSpec& spec, Isa isa);

// Applied to accumulators before they are stored. The body's input 0 is the accumulator, the
// others are `inputs`; one body output per entry of `outputs`. Strides are (batch, row, column);
// column strides are 0 or 1, and 1 for outputs.
using TileStrides = std::array<int64_t, 3>;
struct Epilogue {
  ScalarBody body;
  std::vector<TileStrides> inputs;
  std::vector<TileStrides> outputs;
};
// Stores the accumulator itself with rows of `row_stride` elements.
Epilogue store_epilogue(DType dtype, int64_t batch_stride, int64_t row_stride);

// C[b, i, j] = chain over p of A[b, i, p] * B[b, p, j], in rising p. Operands: A, B, epilogue
// inputs, epilogue outputs. The stride of j is 1 in B; A has any strides (so A may be transposed).
struct MatmulSpec {
  DType dtype = DType::f32;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  int64_t a_batch = 0, a_row = 0, a_k = 1;
  int64_t b_batch = 0, b_k = 0;
  Epilogue epilogue;
};
Kernel make_matmul(const MatmulSpec& spec, Isa isa);

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
Kernel make_conv(const ConvSpec& spec, Isa isa);

}  // namespace outerloop::exec
