#pragma once
// A LoopSpec in canonical form: extents of one dropped, extents merged wherever every operand
// walks them as one, and split into outer loops, rows and columns.

#include <vector>

#include "exec/plan/specs.h"

namespace outerloop::exec {

enum class Reduction : uint8_t { none, contiguous, rows };

struct LoopNest {
  // Strides in bytes.
  struct Operand {
    std::vector<int64_t> outer;
    int64_t row = 0;
    int64_t column = 0;
  };

  DType dtype = DType::f32;
  ScalarBody body;
  std::vector<int64_t> outer;  // extents of the outer loops
  int64_t rows = 1;
  int64_t columns = 1;
  std::vector<Operand> operands;  // inputs, then outputs
  std::vector<LoopOutputKind> outputs;
  Reduction reduction = Reduction::none;

  size_t input_count() const { return operands.size() - outputs.size(); }
  // Makes the rows the innermost of the outer loops.
  void rows_to_outer();
};

// Throws BadInput for a spec that contradicts itself.
LoopNest make_nest(const LoopSpec& spec);

Reduction reduction_of(LoopOutputKind kind);
bool is_maximum(LoopOutputKind kind);

}  // namespace outerloop::exec
