#pragma once
// The kernels of Isa::scalar: every result element as the sequence of operations that defines it
// (outerloop/tensor/ordered.h). They are the oracle that generated code is compared with, bit by
// bit.

#include <span>

#include "exec/cpu/kernel.h"
#include "exec/cpu/thread_scratch.h"

namespace outerloop::exec {

Kernel make_matmul_oracle(const MatmulSpec& spec);
Kernel make_conv_oracle(const ConvSpec& spec);

// Throws InternalError where the epilogue breaks its contract.
void check_epilogue(const Epilogue& epilogue);

// Evaluates an epilogue on one accumulator. `operands` are those of the epilogue alone.
template <class T>
class EpilogueOracle {
 public:
  EpilogueOracle(const Epilogue& epilogue, void* const* operands)
      : epilogue_(epilogue), operands_(operands) {
    const size_t inputs = epilogue.inputs.size() + 1;
    const size_t outputs = epilogue.outputs.size();
    const std::span<T> values =
        thread_scratch<T>(inputs + outputs + epilogue.body.instructions.size());
    inputs_ = values.first(inputs);
    outputs_ = values.subspan(inputs, outputs);
    registers_ = values.subspan(inputs + outputs);
  }

  void apply(T accumulator, int64_t batch, int64_t row, int64_t column) {
    const auto at = [&](size_t operand, const TileStrides& strides) -> T& {
      return static_cast<T*>(
          operands_[operand])[batch * strides[0] + row * strides[1] + column * strides[2]];
    };
    inputs_[0] = accumulator;
    for (size_t i = 0; i < epilogue_.inputs.size(); ++i) {
      inputs_[i + 1] = at(i, epilogue_.inputs[i]);
    }
    evaluate<T>(epilogue_.body, inputs_, outputs_, registers_);
    for (size_t i = 0; i < outputs_.size(); ++i) {
      at(epilogue_.inputs.size() + i, epilogue_.outputs[i]) = outputs_[i];
    }
  }

 private:
  const Epilogue& epilogue_;
  void* const* operands_;
  std::span<T> inputs_, outputs_, registers_;
};

}  // namespace outerloop::exec
