#pragma once
// The fixed-order sum over the slots of a meta-batch (outerloop/comm/slot_tree.h), one element a
// thread, and what a block's threads agree on.

#include "exec/cuda/device/arithmetic.h"

namespace ol {

OL_DEVICE bool is_finite(unsigned word) {
  return (word & 0x7F800000U) != 0x7F800000U;
}

// Whether all threads of a block say so, two to a power of them. `votes`: one for each thread.
OL_DEVICE bool all_of_block(bool own, unsigned* votes) {
  votes[threadIdx.x] = own ? 1 : 0;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) votes[threadIdx.x] &= votes[threadIdx.x + half];
    __syncthreads();
  }
  return votes[0] != 0;
}

// Of one element. Where no slot below it counts the node is absent, and 0.
struct SlotNode {
  float sum;
  bool present;
};

// An absent child's parent is the other one.
OL_DEVICE SlotNode parent(SlotNode left, SlotNode right) {
  if (left.present && right.present) return {add(left.sum, right.sum), true};
  return right.present ? right : left;
}

// Of 2^Levels slots, `distance` elements apart. Eight are loaded at once; an open node of each
// level above waits for its sibling.
template <int Levels>
OL_DEVICE SlotNode subtree(const float* values, unsigned long long distance,
                           const unsigned char* counts) {
  constexpr int kAtOnce = Levels < 3 ? Levels : 3;
  SlotNode open[Levels + 1] = {};
  SlotNode node = {};
#pragma unroll 1
  for (unsigned first = 0; first < 1U << Levels; first += 1U << kAtOnce) {
    SlotNode nodes[1 << kAtOnce];
#pragma unroll
    for (unsigned i = 0; i < 1U << kAtOnce; ++i) {
      const bool present = counts[first + i] != 0;
      nodes[i] = {present ? values[(first + i) * distance] : 0.0f, present};
    }
#pragma unroll
    for (int level = 0; level < kAtOnce; ++level) {
#pragma unroll
      for (int i = 0; i < 1 << (kAtOnce - level - 1); ++i) {
        nodes[i] = parent(nodes[2 * i], nodes[2 * i + 1]);
      }
    }
    node = nodes[0];
    bool is_whole = true;  // up to this level
#pragma unroll
    for (int level = kAtOnce; level < Levels; ++level) {
      const bool is_left = (first >> level & 1U) == 0;
      const SlotNode left = open[level];
      open[level] = is_whole && is_left ? node : left;
      node = is_whole && !is_left ? parent(left, node) : node;
      is_whole = is_whole && !is_left;
    }
  }
  return node;
}

}  // namespace ol
