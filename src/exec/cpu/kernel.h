#pragma once
// What a CPU kernel is, and how one is made from a spec (exec/plan/specs.h).
//
// Each make_* function returns generated machine code on AVX-512 and AVX2, and the plain ordered
// loop with std::fma (the oracle) for Isa::scalar. All three give the same bits
// (outerloop/tensor/ordered.h).

#include <cstdint>
#include <memory>
#include <utility>

#include "exec/plan/specs.h"
#include "outerloop/exec/isa.h"

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

Kernel make_loop(const LoopSpec& spec, Isa isa);
Kernel make_matmul(const MatmulSpec& spec, Isa isa);
Kernel make_conv(const ConvSpec& spec, Isa isa);

// Stores the accumulator itself with rows of `row_stride` elements.
Epilogue store_epilogue(DType dtype, int64_t batch_stride, int64_t row_stride);

}  // namespace outerloop::exec
