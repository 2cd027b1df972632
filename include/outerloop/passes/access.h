#pragma once
// How one operand of a loop nest walks memory: strides in elements over the iteration shape.

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "outerloop/ir/program.h"

namespace outerloop::passes {

using AccessStrides = std::array<int64_t, Shape::kMaxRank>;

// Of a dense tensor read through a broadcast to `iteration`: its axis i runs along axis axes[i];
// along the other axes it repeats (stride 0).
AccessStrides broadcast_access(const Shape& operand, std::span<const int64_t> axes);
// Of a dense tensor of the iteration's own shape.
AccessStrides dense_access(const Shape& shape);

// Merges the axes of `iteration` into the given runs (each run: how many consecutive axes become
// one). Nothing when the strides of a run are not those of one axis. Axes of extent 1 fit any run.
std::optional<std::vector<int64_t>> merged_strides(const Shape& iteration,
                                                   const AccessStrides& strides,
                                                   std::span<const int> runs);

// The loop over a fused group: how many neighbouring axes of `shape` make each of its extents.
//   with a contraction as head    (batch, row, column) of the tiles of its result
//   with reductions               (outer, reduced), and (inner) unless it is one element
//   otherwise                     every axis by itself
// The fusion pass asks merged_strides() of every operand before it makes a group, and the executor
// relies on it. `reduction` is one for which reduction_split() gives a split.
std::vector<int> loop_runs(const Shape& shape, const Equation* head, const Equation* reduction);

// A reduction as outer x reduced x inner, when its axes are neighbours.
struct ReductionSplit {
  int first_axis = 0;  // of the reduced run
  int axes = 0;
  int64_t outer = 1, reduced = 1, inner = 1;
  bool operator==(const ReductionSplit&) const = default;
};
// Nothing when the reduced axes (sorted) do not lie side by side.
std::optional<ReductionSplit> reduction_split(const Shape& shape, std::span<const int64_t> axes);

}  // namespace outerloop::passes
