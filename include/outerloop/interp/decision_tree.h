#pragma once
// A classification tree (CART, Breiman et al. 1984) that is a function of its data alone: scores
// are compared as exact fractions and every tie has a rule.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/interp/table.h"

namespace outerloop::interp {

struct TreeNode {
  int32_t feature = -1;  // -1: a leaf
  double threshold = 0;  // rows with x[feature] <= threshold go left
  int32_t left = -1;     // places in the list of nodes
  int32_t right = -1;
  int32_t label = 0;  // the most frequent class; ties to the lowest
  std::vector<int64_t> class_counts;

  bool is_leaf() const { return feature < 0; }
  int64_t rows() const;
};

class DecisionTree {
 public:
  // The first node is the root.
  explicit DecisionTree(std::vector<TreeNode> nodes) : nodes_(std::move(nodes)) {}

  const std::vector<TreeNode>& nodes() const { return nodes_; }
  int32_t predict(std::span<const double> row) const;
  // Share of rows whose label the tree predicts.
  double fidelity(const TableView& x, std::span<const int32_t> labels) const;

 private:
  std::vector<TreeNode> nodes_;
};

// Each node that is neither pure nor at max_depth (the root has depth 0) takes the split of least
// weighted Gini impurity, even where that gains nothing; ties go to the lowest feature, then to the
// lowest threshold. Thresholds are halfway between neighbouring values. Nodes come in preorder.
// labels: 0 … classes - 1, per row. Throws BadInput when they are not or the table is empty.
DecisionTree fit_decision_tree(const TableView& x, std::span<const int32_t> labels, size_t classes,
                               size_t max_depth);

}  // namespace outerloop::interp
