#include "outerloop/comm/slot_tree.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <optional>
#include <random>

#include "outerloop/base/error.h"

namespace outerloop::comm {
namespace {

constexpr int64_t kElements = 37;
using Vector = std::vector<float>;

// The definition: node (level, index) by recursion on halves.
std::optional<Vector> node_by_definition(const std::vector<std::optional<Vector>>& leaves,
                                         int level, int64_t index) {
  if (level == 0) {
    return index < static_cast<int64_t>(leaves.size()) ? leaves[static_cast<size_t>(index)]
                                                       : std::nullopt;
  }
  auto left = node_by_definition(leaves, level - 1, 2 * index);
  const auto right = node_by_definition(leaves, level - 1, 2 * index + 1);
  if (!left) return right;
  if (!right) return left;
  for (size_t i = 0; i < left->size(); ++i) (*left)[i] += (*right)[i];
  return left;
}

std::vector<std::optional<Vector>> random_leaves(int64_t slots, double absent, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::bernoulli_distribution missing(absent);
  std::vector<std::optional<Vector>> leaves(static_cast<size_t>(slots));
  for (auto& leaf : leaves) {
    Vector values(kElements);
    for (float& value : values) value = normal(generator) * 1e3f;
    if (!missing(generator)) leaf = values;
  }
  return leaves;
}

// Deals the slots to workers at the given borders and finishes the tree in two element ranges.
Vector reduced(const std::vector<std::optional<Vector>>& leaves, std::vector<int64_t> borders) {
  std::vector<SlotAccumulator> workers;
  std::vector<SlotNode> nodes;
  for (size_t w = 0; w + 1 < borders.size(); ++w) {
    workers.emplace_back(kElements, borders[w], borders[w + 1]);
    for (int64_t slot = borders[w]; slot < borders[w + 1]; ++slot) {
      const auto& leaf = leaves[static_cast<size_t>(slot)];
      leaf ? workers.back().add(slot, *leaf) : workers.back().skip(slot);
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
    const auto leaves = random_leaves(slots, absent, static_cast<uint32_t>(slots));
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
  const auto leaves = random_leaves(1000, 0.1, 3);
  std::vector<int64_t> borders(1001);
  std::iota(borders.begin(), borders.end(), 0);
  const Vector total = reduced(leaves, borders);
  const Vector expected = *node_by_definition(leaves, 10, 0);
  EXPECT_EQ(0, std::memcmp(total.data(), expected.data(), sizeof(float) * kElements));
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
