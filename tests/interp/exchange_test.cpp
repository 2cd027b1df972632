#include "outerloop/interp/exchange.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;
using Rows = std::vector<uint32_t>;

Rows sorted(Rows rows) {
  std::ranges::sort(rows);
  return rows;
}

TEST(KeyedExchange, GivesEveryPlaceOneDonorOfTheRowsScored) {
  const Exchange exchange = keyed_exchange({.seed = 1, .rows = 50, .samples = 20, .repeats = 3});
  EXPECT_EQ(std::set<uint32_t>(exchange.rows.begin(), exchange.rows.end()).size(), 20u);
  for (size_t k = 0; k < 3; ++k) EXPECT_EQ(sorted(exchange.donors(k)), sorted(exchange.rows));
  EXPECT_NE(exchange.donors(0), exchange.donors(1));
}

// Repeat k does not depend on how many repeats there are or which was asked for before.
TEST(KeyedExchange, IsAFunctionOfSeedTaskAndRepeat) {
  const KeyedDraws draws = {.seed = 1, .task = 7, .rows = 40, .samples = 40, .repeats = 9};
  KeyedDraws fewer = draws;
  fewer.repeats = 5;
  EXPECT_EQ(keyed_exchange(draws).donors(4), keyed_exchange(fewer).donors(4));
  KeyedDraws other_task = draws;
  other_task.task = 8;
  EXPECT_NE(keyed_exchange(draws).donors(4), keyed_exchange(other_task).donors(4));
  KeyedDraws other_seed = draws;
  other_seed.seed = 2;
  EXPECT_NE(keyed_exchange(draws).donors(4), keyed_exchange(other_seed).donors(4));
}

TEST(KeyedExchange, StaysWithinClasses) {
  const Numbers classes = {0, 1, 0, 1, 2, 0, 1, 0, 1, 1};
  const Exchange exchange =
      keyed_exchange({.seed = 3, .rows = 10, .samples = 10, .repeats = 20}, classes);
  std::set<uint32_t> donors_of_0;
  for (size_t k = 0; k < 20; ++k) {
    const Rows donors = exchange.donors(k);
    EXPECT_EQ(sorted(donors), sorted(exchange.rows));
    for (size_t i = 0; i < donors.size(); ++i) EXPECT_EQ(classes[donors[i]], classes[i]);
    donors_of_0.insert(donors[0]);
  }
  EXPECT_EQ(donors_of_0, (std::set<uint32_t>{0, 2, 5, 7}));
}

TEST(ExactExchange, PairsEachRowWithEachDonor) {
  const Exchange exchange = exact_exchange(3);
  EXPECT_EQ(exchange.rows, (Rows{0, 0, 0, 1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(exchange.donors(0), (Rows{0, 1, 2, 0, 1, 2, 0, 1, 2}));
  EXPECT_TRUE(exchange.shares.empty());
  EXPECT_EQ(exchange.repeats, 1u);
}

TEST(ExactExchange, SharesARowAmongTheDonorsOfItsClass) {
  const Exchange exchange = exact_exchange(3, Numbers{5, 1, 5});
  EXPECT_EQ(exchange.rows, (Rows{1, 0, 0, 2, 2}));
  EXPECT_EQ(exchange.donors(0), (Rows{1, 0, 2, 0, 2}));
  EXPECT_EQ(exchange.shares, (Numbers{1, 0.5, 0.5, 0.5, 0.5}));
}

TEST(Exchange, RefusesWhatCannotBeDrawn) {
  EXPECT_THROW(keyed_exchange({.rows = 5, .samples = 6}), BadInput);
  EXPECT_THROW(keyed_exchange({.rows = 5, .samples = 5, .repeats = 0}), BadInput);
  EXPECT_THROW(keyed_exchange({.rows = 5, .samples = 5}, Numbers{1, 2}), BadInput);
  EXPECT_THROW(exact_exchange(5000), BadInput);
  EXPECT_THROW(ridge_residuals(TableView(Numbers{1, 2}, 1), {}, 0), BadInput);
}

TEST(RidgeResiduals, KeepWhatOtherColumnsDoNotSay) {
  // Column 1 is nearly twice column 0, column 2 is alone, column 3 is constant.
  const Numbers x = {1, 2.1, 5, 4, 2, 3.9, -5, 4, 3, 6.1, -5, 4, 4, 7.9, 5, 4};
  const TableView table(x, 4);
  const auto groups = feature_groups(std::vector<std::string>{"a", "b", "c", "d"});
  const Numbers residuals = ridge_residuals(table, groups, 1e-6);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(residuals[i * 4 + 1], i % 2 == 0 ? 0.1 : -0.1, 0.07) << i;
    EXPECT_EQ(residuals[i * 4 + 3], 0) << i;
  }
  EXPECT_GT(std::abs(residuals[2]), 2);
}

}  // namespace
}  // namespace outerloop::interp
