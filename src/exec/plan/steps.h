#pragma once
// A program as kernel calls, before memory is planned.

#include <cstdint>
#include <vector>

#include "exec/plan/specs.h"
#include "outerloop/ir/program.h"

namespace outerloop::exec {

// Buffers are numbered. The first are the values of the optimised program; steps may add scratch.
struct BufferId {
  int32_t index = -1;
  bool operator==(const BufferId&) const = default;
};

// One kernel call.
struct Step {
  StepSpec spec;
  std::vector<BufferId> reads;   // in the order that the spec states
  std::vector<BufferId> writes;  // after the reads
  // writes[i] may take the memory of one of reads[in_place[i][...]].
  std::vector<std::vector<int32_t>> in_place;
  int32_t equation = -1;
};

// The result of lowering a program.
struct Lowered {
  std::vector<Step> steps;
  std::vector<int64_t> buffer_bytes;  // by buffer
  std::vector<BufferId> root;         // by buffer: the one whose memory it is (reshapes)
};

Lowered lower(const Program& program);

}  // namespace outerloop::exec
