#pragma once
// Sums over slots to be made on ranks, and how the slots are dealt.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "comm/slot_leaves.h"
#include "outerloop/comm/exchange_plan.h"
#include "outerloop/comm/slot_tree.h"

namespace outerloop::comm {

using Ranges = std::vector<Range>;

// Cut into ranges at the borders.
inline Ranges ranges_of(std::vector<int64_t> borders) {
  Ranges ranges;
  for (size_t i = 0; i + 1 < borders.size(); ++i) ranges.push_back({borders[i], borders[i + 1]});
  return ranges;
}

inline Ranges evenly(int64_t slots, int ranks) {
  std::vector<int64_t> borders;
  for (int r = 0; r <= ranks; ++r) borders.push_back(slots * r / ranks);
  return ranges_of(borders);
}

// Any borders, so that some ranks may have no slots.
inline Ranges at_random(int64_t slots, int ranks, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int64_t> anywhere(0, slots);
  std::vector<int64_t> borders{0, slots};
  while (borders.size() <= static_cast<size_t>(ranks)) borders.push_back(anywhere(generator));
  std::ranges::sort(borders);
  return ranges_of(borders);
}

// This rank's slots, dealt to two accumulators as to two threads.
struct OwnSlots {
  OwnSlots(const std::vector<Leaf>& leaves, const Range& slots, int64_t elements) {
    const int64_t middle = slots.first + slots.size() / 3;
    for (const Range& range : {Range{slots.first, middle}, Range{middle, slots.end}}) {
      parts.emplace_back(elements, range.first, range.end);
      for (int64_t slot = range.first; slot < range.end; ++slot) {
        const Leaf& leaf = leaves[static_cast<size_t>(slot)];
        leaf ? parts.back().add(slot, *leaf) : parts.back().skip(slot);
      }
    }
    for (const SlotAccumulator& part : parts) {
      nodes.insert(nodes.end(), part.nodes().begin(), part.nodes().end());
    }
  }
  std::vector<SlotAccumulator> parts;
  std::vector<SlotNode> nodes;
};

inline void expect_bits(const std::vector<float>& total, const Leaf& expected,
                        const std::string& what) {
  const std::vector<float> bits = expected.value_or(std::vector<float>(total.size()));
  EXPECT_EQ(0, std::memcmp(total.data(), bits.data(), bits.size() * sizeof(float))) << what;
}

struct Problem {
  int64_t slots;
  int64_t elements;
  std::vector<int64_t> groups;  // borders
};

// Fewer slots than ranks, as many, and numbers that they do not divide.
inline std::vector<Problem> problems() {
  return {
      {1, 100, {0, 100}},
      {2, 1, {0, 1}},
      {3, 37, {0, 37}},
      {4, 1000, {0, 512, 1000}},
      {8, 1000, {0, 160, 160, 1000}},
      {25, 333, {0, 16, 250, 333}},
      {32, 640, {0, 640}},
      {33, 129, {0, 128, 129}},
  };
}

}  // namespace outerloop::comm
