#include "outerloop/comm/slot_tree.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "comm/slot_leaves.h"
#include "outerloop/base/error.h"

namespace outerloop::comm {
namespace {

constexpr int64_t kElements = 37;
using Vector = std::vector<float>;

// At once or, every third slot, in pieces.
void add(SlotAccumulator& worker, int64_t slot, const Vector& leaf) {
  if (slot % 3 != 0) return worker.add(slot, leaf);
  worker.open(slot);
  worker.add_range(leaf, 30, kElements);
  worker.add_range(leaf, 0, 30);
}

// Deals the slots to workers at the given borders and finishes the tree in two element ranges.
Vector reduced(const std::vector<Leaf>& leaves, std::vector<int64_t> borders) {
  std::vector<SlotAccumulator> workers;
  std::vector<SlotNode> nodes;
  for (size_t w = 0; w + 1 < borders.size(); ++w) {
    workers.emplace_back(kElements, borders[w], borders[w + 1]);
    for (int64_t slot = borders[w]; slot < borders[w + 1]; ++slot) {
      const auto& leaf = leaves[static_cast<size_t>(slot)];
      leaf ? add(workers.back(), slot, *leaf) : workers.back().skip(slot);
    }
  }
  for (const SlotAccumulator& worker : workers) {
    nodes.insert(nodes.end(), worker.nodes().begin(), worker.nodes().end());
  }
  Vector total(kElements, -1.0f);
  const std::vector<SlotNode> copy = nodes;
  finish_tree(nodes, 0, 20, total);
  finish_tree(copy, 20, kElements, total);
  return total;
}

class SlotTree : public testing::TestWithParam<int64_t> {};

TEST_P(SlotTree, GivesTheBitsOfTheDefinitionForAnyDeal) {
  const int64_t slots = GetParam();
  for (const double absent : {0.0, 0.3, 1.0}) {
    const auto leaves = random_leaves(slots, kElements, absent, static_cast<uint32_t>(slots));
    const auto expected = node_by_definition(leaves, 10, 0).value_or(Vector(kElements, 0.0f));
    std::vector<std::vector<int64_t>> deals{{0, slots}};
    for (int64_t cut = 0; cut <= slots; ++cut) deals.push_back({0, cut, slots});
    deals.push_back({0, slots / 3, slots / 3, slots / 2, slots});
    for (const auto& deal : deals) {
      const Vector total = reduced(leaves, deal);
      EXPECT_EQ(0, std::memcmp(total.data(), expected.data(), sizeof(float) * kElements))
          << slots << " slots, " << absent << " absent, cut at " << deal[1];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, SlotTree, testing::Values(1, 2, 3, 4, 5, 7, 8, 25, 32, 33, 100));

TEST(FinishTree, TakesANodeFromEachOfManyWorkers) {
  const auto leaves = random_leaves(1000, kElements, 0.1, 3);
  std::vector<int64_t> borders(1001);
  std::iota(borders.begin(), borders.end(), 0);
  const Vector total = reduced(leaves, borders);
  const Vector expected = *node_by_definition(leaves, 10, 0);
  EXPECT_EQ(0, std::memcmp(total.data(), expected.data(), sizeof(float) * kElements));
}

// The steps on a stack of numbers in place of vectors.
TEST(SumSteps, MakeTheSumThatTheTreeIs) {
  for (const int64_t slots : {1, 2, 5, 8, 25, 33}) {
    for (const double absent : {0.0, 0.3, 1.0}) {
      auto leaves = random_leaves(slots, 1, absent, static_cast<uint32_t>(slots));
      std::vector<SlotNode> nodes;
      for (int64_t slot = 0; slot < slots; ++slot) {
        Leaf& leaf = leaves[static_cast<size_t>(slot)];
        nodes.push_back({0, slot, leaf.has_value(), leaf ? leaf->data() : nullptr});
      }
      const Leaf expected = node_by_definition(leaves, 6, 0);
      std::vector<SumStep> steps;
      list_steps(nodes, steps);
      Vector stack;
      for (const SumStep& step : steps) {
        stack.push_back(*step.data);
        for (int64_t i = 0; i < step.additions; ++i) {
          const float upper = stack.back();
          stack.pop_back();
          stack.back() += upper;
        }
      }
      EXPECT_EQ(stack, expected.value_or(Vector())) << slots << " slots, " << absent << " absent";
    }
  }
}

TEST(FinishTree, RefusesNodesWithGapsAndOverlaps) {
  Vector values(kElements, 1.0f), total(kElements);
  const SlotNode first{0, 0, true, values.data()};
  const SlotNode second{0, 1, true, values.data()};
  const SlotNode third{0, 2, true, values.data()};
  EXPECT_THROW(finish_tree(std::vector{second}, 0, kElements, total), InternalError);
  EXPECT_THROW(finish_tree(std::vector{first, third}, 0, kElements, total), InternalError);
  EXPECT_THROW(finish_tree(std::vector{first, first}, 0, kElements, total), InternalError);
}

TEST(SubtreeRoots, AreTheLargestAlignedOnes) {
  const auto roots = [](int64_t first, int64_t end) {
    std::vector<std::pair<int, int64_t>> found;
    for (const SlotNode& node : subtree_roots(first, end))
      found.push_back({node.level, node.index});
    return found;
  };
  using Roots = std::vector<std::pair<int, int64_t>>;
  EXPECT_EQ(roots(3, 3), Roots{});
  EXPECT_EQ(roots(0, 8), (Roots{{3, 0}}));
  EXPECT_EQ(roots(1, 8), (Roots{{0, 1}, {1, 1}, {2, 1}}));
  EXPECT_EQ(roots(5, 7), (Roots{{0, 5}, {0, 6}}));
}

TEST(MergeSiblings, AddsInItsRangeAloneAndKeepsWhatIsThereOfAbsentPairs) {
  Vector a(kElements, 1.0f), b(kElements, 2.0f);
  std::vector<SlotNode> nodes{{0, 2, true, a.data()},
                              {0, 3, true, b.data()},
                              {1, 2, false, nullptr},
                              {1, 3, true, b.data()}};
  ASSERT_EQ(merge_siblings(nodes, 10, kElements), 2u);
  EXPECT_EQ(nodes[0].data, a.data());
  EXPECT_EQ(a[9], 1.0f);
  EXPECT_EQ(a[10], 3.0f);
  EXPECT_EQ(nodes[1].level, 2);
  EXPECT_TRUE(nodes[1].present);
  EXPECT_EQ(nodes[1].data, b.data());
}

TEST(SlotAccumulator, HoldsNoMoreSumsThanAreThereAtOnce) {
  const auto sums = [](int64_t first, int64_t end) {
    return SlotAccumulator(kElements, first, end).bytes() / (kElements * sizeof(float));
  };
  EXPECT_EQ(sums(0, 0), 0u);
  EXPECT_EQ(sums(5, 6), 1u);
  EXPECT_EQ(sums(0, 2), 1u);  // the second leaf is added to the first
  EXPECT_EQ(sums(0, 32), 5u);
  EXPECT_EQ(sums(32, 64), 5u);
  EXPECT_EQ(sums(0, 25), 4u);
  EXPECT_EQ(sums(1, 8), 4u);  // 1, 2-3, 4-5, 6
}

}  // namespace
}  // namespace outerloop::comm
