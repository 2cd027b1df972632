#include <gtest/gtest.h>

#include "comm/conformance.h"
#include "comm/slot_problems.h"
#include "outerloop/comm/slot_reduction.h"

namespace outerloop::comm {
namespace {

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
  uint32_t seed = 0;
  for (const Problem& problem : problems()) {
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

constexpr ConformanceCase kReductionCases[]{
    {"SumHasTheBitsOfTheDefinition", sum_has_the_bits_of_the_definition},
    {"SumIsTheSameOnMoreThreads", sum_is_the_same_on_more_threads},
    {"SumSendsWhatTheFormulaSays", sum_sends_what_the_formula_says},
    {"NodesOfOtherSlotsAreRefused", nodes_of_other_slots_are_refused},
};

}  // namespace

std::span<const ConformanceCase> reduction_cases() {
  return kReductionCases;
}

}  // namespace outerloop::comm
