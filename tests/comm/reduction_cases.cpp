#include <gtest/gtest.h>

#include <cstring>

#include "comm/conformance.h"
#include "comm/slot_leaves.h"
#include "outerloop/comm/slot_reduction.h"

namespace outerloop::comm {
namespace {

using Ranges = std::vector<Range>;

// Cut into ranges at the borders.
Ranges ranges_of(std::vector<int64_t> borders) {
  Ranges ranges;
  for (size_t i = 0; i + 1 < borders.size(); ++i) ranges.push_back({borders[i], borders[i + 1]});
  return ranges;
}

Ranges evenly(int64_t slots, int ranks) {
  std::vector<int64_t> borders;
  for (int r = 0; r <= ranks; ++r) borders.push_back(slots * r / ranks);
  return ranges_of(borders);
}

// Any borders, so that some ranks may have no slots.
Ranges at_random(int64_t slots, int ranks, uint32_t seed) {
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

void expect_bits(const std::vector<float>& total, const Leaf& expected, const std::string& what) {
  const std::vector<float> bits = expected.value_or(std::vector<float>(total.size()));
  EXPECT_EQ(0, std::memcmp(total.data(), bits.data(), bits.size() * sizeof(float))) << what;
}

struct Problem {
  int64_t slots;
  int64_t elements;
  std::vector<int64_t> groups;  // borders
};

void check_sum(SlotReduction& reduction, Communicator& ranks, const Problem& problem,
               const Ranges& deal, double absent, uint32_t seed) {
  const auto leaves = random_leaves(problem.slots, problem.elements, absent, seed);
  const Leaf expected = node_by_definition(leaves, 6, 0);
  reduction.deal(deal);
  OwnSlots own(leaves, deal[static_cast<size_t>(ranks.rank())], problem.elements);
  for (size_t g = 0; g + 1 < problem.groups.size(); ++g) {
    reduction.begin(g, own.nodes);
    reduction.poll();
  }
  std::vector<float> total(static_cast<size_t>(problem.elements), -1.0f);
  EXPECT_EQ(reduction.finish(total), expected.has_value());
  expect_bits(total, expected,
              std::to_string(problem.slots) + " slots, " + std::to_string(problem.elements) +
                  " elements, absent " + std::to_string(absent));
}

void sum_has_the_bits_of_the_definition(Communicator& ranks) {
  const std::vector<Problem> problems{
      {1, 100, {0, 100}},
      {2, 1, {0, 1}},
      {3, 37, {0, 37}},
      {4, 1000, {0, 512, 1000}},
      {8, 1000, {0, 160, 160, 1000}},
      {25, 333, {0, 16, 250, 333}},
      {32, 640, {0, 640}},
      {33, 129, {0, 128, 129}},
  };
  uint32_t seed = 0;
  for (const Problem& problem : problems) {
    ThreadPool pool(1);
    SlotReduction reduction(ranks, pool, ranges_of(problem.groups));
    for (const double absent : {0.0, 0.3, 1.0}) {
      ++seed;
      check_sum(reduction, ranks, problem, evenly(problem.slots, ranks.size()), absent, seed);
      check_sum(reduction, ranks, problem, at_random(problem.slots, ranks.size(), seed), absent,
                seed);
    }
  }
}

void sum_is_the_same_on_more_threads(Communicator& ranks) {
  ThreadPool pool(3);
  const Problem problem{13, 2000, {0, 600, 2000}};
  SlotReduction reduction(ranks, pool, ranges_of(problem.groups));
  check_sum(reduction, ranks, problem, evenly(problem.slots, ranks.size()), 0.2, 5);
}

// Its roots to each other rank by shards, the flags of these, and its own shard to all.
void sum_sends_what_the_formula_says(Communicator& ranks) {
  const int64_t others = ranks.size() - 1;
  const int64_t elements = 16 * 5 * ranks.size();  // even shards
  ThreadPool pool(1);
  SlotReduction reduction(ranks, pool, ranges_of({0, elements}));
  for (const int64_t slots : {8, 25}) {
    const Ranges deal = evenly(slots, ranks.size());
    const Range own = deal[static_cast<size_t>(ranks.rank())];
    const auto roots = static_cast<int64_t>(subtree_roots(own.first, own.end).size());
    const auto bytes_sent = [&] {
      return ranks.traffic(Verb::all_to_all).sent + ranks.traffic(Verb::all_gather).sent;
    };
    const int64_t before = bytes_sent();
    check_sum(reduction, ranks, {slots, elements, {0, elements}}, deal, 0.1, 9);
    EXPECT_EQ(bytes_sent() - before,
              (roots + 1) * others * 4 * elements / ranks.size() + roots * others);
    // Aligned powers of two: no more than a ring.
    if (slots == 8 && 8 % ranks.size() == 0) {
      EXPECT_EQ(roots, 1);
    }
  }
}

void nodes_of_other_slots_are_refused(Communicator& ranks) {
  ThreadPool pool(1);
  SlotReduction reduction(ranks, pool, ranges_of({0, 64}));
  std::vector<float> values(64), total(64);
  EXPECT_THROW(reduction.finish(total), InternalError);
  EXPECT_THROW(reduction.deal(ranges_of({0})), InternalError);
  EXPECT_THROW(reduction.deal(Ranges(static_cast<size_t>(ranks.size()))), InternalError);
  reduction.deal(evenly(2 * ranks.size(), ranks.size()));
  const SlotNode other{0, 2 * ranks.size(), true, values.data()};
  EXPECT_THROW(reduction.begin(0, {&other, 1}), InternalError);
}

constexpr ConformanceCase kCases[]{
    {"SumHasTheBitsOfTheDefinition", sum_has_the_bits_of_the_definition},
    {"SumIsTheSameOnMoreThreads", sum_is_the_same_on_more_threads},
    {"SumSendsWhatTheFormulaSays", sum_sends_what_the_formula_says},
    {"NodesOfOtherSlotsAreRefused", nodes_of_other_slots_are_refused},
};

}  // namespace

std::span<const ConformanceCase> reduction_cases() {
  return kCases;
}

}  // namespace outerloop::comm
