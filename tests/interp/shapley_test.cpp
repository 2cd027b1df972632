#include "outerloop/interp/shapley.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

Numbers random_game(size_t players) {
  std::mt19937 generator(11);
  std::normal_distribution<double> normal;
  Numbers table(size_t{1} << players);
  for (double& value : table) value = normal(generator);
  return table;
}

void expect_near(const Numbers& got, const Numbers& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t j = 0; j < got.size(); ++j) EXPECT_NEAR(got[j], expected[j], tolerance) << j;
}

// One player holds a left glove, two hold a right one; a pair is worth 1 (textbook: 2/3, 1/6, 1/6).
TEST(ExactShapley, SolvesTheGloveGame) {
  const Numbers gloves = {0, 0, 0, 1, 0, 1, 0, 1};
  expect_near(exact_shapley(gloves), {2.0 / 3, 1.0 / 6, 1.0 / 6}, 1e-15);
}

TEST(ExactShapley, SharesOutWhatThereIs) {
  const Numbers table = random_game(6);
  const Numbers values = exact_shapley(table);
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0), table.back() - table.front(),
              1e-14);
}

TEST(ExactShapley, NeedsAllCoalitions) {
  EXPECT_THROW(exact_shapley(Numbers{1, 2, 3}), BadInput);
  EXPECT_THROW(exact_shapley(Numbers{1}), BadInput);
  EXPECT_EQ(exact_shapley(Numbers{1, 3}), Numbers{2});
}

TEST(KernelShapley, OfAllCoalitionsIsExact) {
  for (const size_t players : {1, 2, 5, 9}) {
    const Numbers table = random_game(players);
    expect_near(kernel_shapley(table), exact_shapley(table), 1e-13);
  }
}

TEST(KernelShapley, KeepsBothEndsForAnyCoalitions) {
  const std::vector<Coalition> some = {{0b001, 0.3, 1}, {0b110, 0.9, 2}, {0b010, 0.1, 0.5}};
  const Numbers values = kernel_shapley(3, some, 0.25, 2);
  EXPECT_NEAR(values[0] + values[1] + values[2], 1.75, 1e-15);
}

TEST(KernelShapley, NeedsCoalitionsThatTellPlayersApart) {
  const std::vector<Coalition> one = {{0b011, 0.3, 1}};
  EXPECT_THROW(kernel_shapley(3, one, 0, 1), BadInput);
}

TEST(ShapleyKernel, WeighsBySize) {
  EXPECT_EQ(shapley_kernel(3), (Numbers{2.0 / 6, 2.0 / 6}));
  EXPECT_TRUE(shapley_kernel(1).empty());
}

TEST(PermutationShapley, OverAllOrdersIsExact) {
  const Numbers table = random_game(5);
  const auto value = [&](uint64_t members) { return table[members]; };
  const auto orders = all_orders(5);
  EXPECT_EQ(orders.size(), 120u);
  expect_near(permutation_shapley(value, orders), exact_shapley(table), 1e-14);
}

TEST(PermutationShapley, OfAnOrderAndItsReverseIsExactForPairs) {
  // Values of players and of pairs of them: second order.
  const auto value = [](uint64_t s) {
    const double a = s & 1, b = (s >> 1) & 1, c = (s >> 2) & 1;
    return 2 * a - b + 0.5 * c + 3 * a * b - 4 * b * c;
  };
  Numbers table;
  for (uint64_t s = 0; s < 8; ++s) table.push_back(value(s));
  const std::vector<Order> orders = {{1, 2, 0}};
  expect_near(permutation_shapley(value, with_reversed(orders)), exact_shapley(table), 1e-15);
  EXPECT_NE(permutation_shapley(value, orders), exact_shapley(table));
}

TEST(PermutationShapley, NeedsOrdersOfAllPlayers) {
  const auto value = [](uint64_t) { return 0.0; };
  EXPECT_THROW(permutation_shapley(value, std::vector<Order>{}), BadInput);
  EXPECT_THROW(permutation_shapley(value, std::vector<Order>{{0, 0}}), BadInput);
  EXPECT_THROW(permutation_shapley(value, std::vector<Order>{{0, 1}, {0}}), BadInput);
  EXPECT_THROW(permutation_shapley(value, std::vector<Order>{{0, 1}, {}}), BadInput);
  EXPECT_THROW(all_orders(9), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
