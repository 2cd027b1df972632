#pragma once
// The kernels of Isa::scalar: every result element as the sequence of operations that defines it
// (outerloop/tensor/ordered.h). They are the oracle that generated code is compared with, bit by
// bit.

#include <vector>

#include "exec/cpu/kernel.h"

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
      : epilogue_(epilogue),
        operands_(operands),
        inputs_(epilogue.inputs.size() + 1),
        outputs_(epilogue.outputs.size()),
        registers_(epilogue.body.instructions.size()) {}

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
  std::vector<T> inputs_, outputs_, registers_;
};

}  // namespace outerloop::exec
