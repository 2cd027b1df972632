#pragma once
// A convolution as matrix products over tables: rows of the result that share the steps of their
// chains form a group, and taps that fall on padding are in no table.
//
// Step s of segment g of row r multiplies A[r.offset + g.a + s * a_step] with
// B[g.b + s * b_step, columns]; offsets are in elements.

#include <cstdint>
#include <vector>

#include "exec/cpu/kernel.h"

namespace outerloop::exec {

struct ConvSegment {
  int32_t a = 0;
  int32_t b = 0;
  int32_t rounds = 0;  // of ConvPlan::round steps
};

struct ConvRow {
  int32_t a = 0;
  int32_t row = 0;  // of the result
};

struct ConvGroup {
  std::vector<ConvSegment> segments;
  std::vector<ConvRow> rows;
};

struct ConvPlan {
  std::vector<ConvGroup> groups;
  int64_t columns = 0;
  int64_t a_step = 0;
  int64_t b_step = 0;
  int64_t round = 1;  // divides the length of every segment
  // The segments are gone through `repeats` times, each time this much further on.
  int64_t repeats = 1;
  int64_t a_repeat = 0;
  int64_t b_repeat = 0;

  // Steps of a chain of the group.
  int64_t steps(const ConvGroup& group) const;
};

ConvPlan plan_conv(const ConvGeometry& geometry, ConvDirection direction);

}  // namespace outerloop::exec
