#include "outerloop/interp/decision_tree.h"

#include <gtest/gtest.h>

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;
using Labels = std::vector<int32_t>;

DecisionTree fit(const Numbers& x, size_t columns, const Labels& labels, size_t depth) {
  return fit_decision_tree(TableView(x, columns), labels, 3, depth);
}

TEST(DecisionTree, SplitsHalfwayBetweenClasses) {
  const DecisionTree tree = fit({1, 2, 5, 8}, 1, {0, 0, 2, 2}, 4);
  ASSERT_EQ(tree.nodes().size(), 3u);
  EXPECT_EQ(tree.nodes()[0].threshold, 3.5);
  EXPECT_EQ(tree.nodes()[0].class_counts, (std::vector<int64_t>{2, 0, 2}));
  EXPECT_EQ(tree.predict(Numbers{3.5}), 0);
  EXPECT_EQ(tree.predict(Numbers{3.6}), 2);
}

TEST(DecisionTree, BreaksTiesByFeatureThenThreshold) {
  // Both columns separate the classes equally well, and so do two thresholds of each.
  const DecisionTree columns = fit({1, 4, 2, 6}, 2, {0, 1}, 1);
  EXPECT_EQ(columns.nodes()[0].feature, 0);
  const DecisionTree thresholds = fit({1, 2, 3}, 1, {0, 1, 0}, 1);
  EXPECT_EQ(thresholds.nodes()[0].threshold, 1.5);
  EXPECT_EQ(thresholds.nodes()[2].label, 0);  // one row of each class
}

TEST(DecisionTree, SplitsOnWhereNoSplitGainsAtOnce) {
  // Exclusive or: the first split gains nothing, the second everything.
  const Numbers x = {0, 0, 0, 1, 1, 0, 1, 1};
  const Labels labels = {0, 1, 1, 0};
  const DecisionTree tree = fit(x, 2, labels, 2);
  EXPECT_EQ(tree.nodes().size(), 7u);
  EXPECT_EQ(tree.fidelity(TableView(x, 2), labels), 1);
  EXPECT_EQ(fit(x, 2, labels, 1).fidelity(TableView(x, 2), labels), 0.5);
}

TEST(DecisionTree, ListsNodesInPreorder) {
  const DecisionTree tree = fit({1, 2, 3, 4}, 1, {0, 1, 2, 0}, 5);
  for (size_t i = 0; i < tree.nodes().size(); ++i) {
    const TreeNode& node = tree.nodes()[i];
    if (node.is_leaf()) continue;
    EXPECT_EQ(node.left, static_cast<int32_t>(i) + 1);
    EXPECT_GT(node.right, node.left);
    const auto& left = tree.nodes()[static_cast<size_t>(node.left)];
    const auto& right = tree.nodes()[static_cast<size_t>(node.right)];
    EXPECT_EQ(left.rows() + right.rows(), node.rows());
  }
}

TEST(DecisionTree, StopsAtDepthPurityAndEqualRows) {
  EXPECT_EQ(fit({1, 2}, 1, {0, 1}, 0).nodes().size(), 1u);
  EXPECT_EQ(fit({1, 2}, 1, {1, 1}, 3).nodes().size(), 1u);
  const DecisionTree equal_rows = fit({7, 7, 7}, 1, {2, 1, 2}, 3);
  EXPECT_EQ(equal_rows.nodes().size(), 1u);
  EXPECT_EQ(equal_rows.nodes()[0].label, 2);
}

TEST(DecisionTree, SeparatesNeighbouringNumbers) {
  const double next = std::nextafter(1.0, 2.0);
  const DecisionTree tree = fit({1.0, next}, 1, {0, 1}, 1);
  EXPECT_EQ(tree.predict(Numbers{1.0}), 0);
  EXPECT_EQ(tree.predict(Numbers{next}), 1);
}

TEST(DecisionTree, RefusesWhatDoesNotFit) {
  EXPECT_THROW(fit({}, 1, {}, 1), BadInput);
  EXPECT_THROW(fit({1, 2}, 1, {0}, 1), BadInput);
  EXPECT_THROW(fit({1, 2}, 1, {0, 3}, 1), BadInput);
  EXPECT_THROW(fit({1, 2}, 1, {0, -1}, 1), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
