#pragma once
// How a generated loop cuts its nest into vectors, steps and passes.

#include "exec/cpu/loop_stages.h"

namespace outerloop::exec {

struct LoopShape {
  InnerAxis inner = InnerAxis::columns;
  int vectors = 1;        // side by side in a block of columns (over rows)
  int unroll = 1;         // steps per iteration of the inner loop
  int ways = 1;           // accumulators of a reduction, for each vector of the block
  int passes = 1;         // over rows: one, or one for the rows of each way
  int64_t length = 0;     // rows, or whole vectors of a row
  int tail_columns = 0;   // over columns: elements after the last whole vector
  bool straight = false;  // no inner loop: every step is code of its own

  bool over_rows() const { return inner == InnerAxis::rows; }
  // Step s of pass p is row (or vector) s * passes + p.
  int64_t steps(int pass) const { return (length - pass + passes - 1) / passes; }
};

struct VectorFile {
  int lanes;
  int registers;
};

// May turn the rows of the nest into an outer loop.
LoopShape choose_shape(LoopNest& nest, const VectorFile& vectors);

}  // namespace outerloop::exec
