#include "outerloop/interp/decision_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "outerloop/base/error.h"

namespace outerloop::interp {

int64_t TreeNode::rows() const {
  return std::accumulate(class_counts.begin(), class_counts.end(), int64_t{0});
}

int32_t DecisionTree::predict(std::span<const double> row) const {
  const TreeNode* node = &nodes_.front();
  while (!node->is_leaf()) {
    const bool goes_left = row[static_cast<size_t>(node->feature)] <= node->threshold;
    node = &nodes_[static_cast<size_t>(goes_left ? node->left : node->right)];
  }
  return node->label;
}

double DecisionTree::fidelity(const TableView& x, std::span<const int32_t> labels) const {
  size_t equal = 0;
  for (size_t i = 0; i < labels.size(); ++i) equal += predict(x.row(i)) == labels[i] ? 1 : 0;
  return static_cast<double>(equal) / static_cast<double>(labels.size());
}

namespace {

// Below this many rows the products of two scores fit in 128 bits (rows^5 / 4).
constexpr size_t kMostRows = 30'000'000;

// sum_c nL_c^2 / nL + sum_c nR_c^2 / nR as a fraction: the greater, the purer. (n minus it is n
// times the weighted Gini impurity.)
struct Purity {
  __extension__ using Wide = unsigned __int128;
  Wide numerator = 0;
  Wide denominator = 1;

  bool operator>(const Purity& other) const {
    return numerator * other.denominator > other.numerator * denominator;
  }
};

// Counts of both sides of a split while rows move from right to left.
class Sides {
 public:
  explicit Sides(std::span<const int64_t> counts)
      : left_(counts.size()), right_(counts.begin(), counts.end()) {
    for (const int64_t count : counts) {
      right_rows_ += count;
      right_squares_ += count * count;
    }
  }

  void move(int32_t label) {
    const auto c = static_cast<size_t>(label);
    left_squares_ += 2 * left_[c]++ + 1;
    right_squares_ -= 2 * right_[c]-- - 1;
    ++left_rows_;
    --right_rows_;
  }
  Purity purity() const {
    const auto wide = [](int64_t count) { return static_cast<Purity::Wide>(count); };
    return {wide(left_squares_) * wide(right_rows_) + wide(right_squares_) * wide(left_rows_),
            wide(left_rows_) * wide(right_rows_)};
  }

 private:
  std::vector<int64_t> left_;
  std::vector<int64_t> right_;
  int64_t left_rows_ = 0;
  int64_t right_rows_ = 0;
  int64_t left_squares_ = 0;
  int64_t right_squares_ = 0;
};

struct Split {
  size_t feature = 0;
  double threshold = 0;
};

// Halfway, but never so high that the greater value goes left.
double between(double lower, double upper) {
  const double middle = (lower + upper) / 2;
  return middle < upper ? middle : lower;
}

class TreeFit {
 public:
  TreeFit(const TableView& x, std::span<const int32_t> labels, size_t classes, size_t max_depth)
      : x_(x), labels_(labels), classes_(classes), max_depth_(max_depth), rows_(x.rows()) {
    std::iota(rows_.begin(), rows_.end(), size_t{0});
  }

  std::vector<TreeNode> run() {
    waiting_.push_back({.begin = 0, .end = rows_.size(), .depth = 0});
    while (!waiting_.empty()) {
      const Part part = waiting_.back();
      waiting_.pop_back();
      const size_t place = nodes_.size();
      if (part.parent >= 0) {
        TreeNode& parent = nodes_[static_cast<size_t>(part.parent)];
        (part.is_left ? parent.left : parent.right) = static_cast<int32_t>(place);
      }
      add_node(part, static_cast<int32_t>(place));
    }
    return std::move(nodes_);
  }

 private:
  // Rows rows_[begin, end) that make one node.
  struct Part {
    size_t begin = 0;
    size_t end = 0;
    size_t depth = 0;
    int32_t parent = -1;
    bool is_left = false;
  };

  std::span<size_t> rows_of(const Part& part) {
    return std::span(rows_).subspan(part.begin, part.end - part.begin);
  }

  void add_node(const Part& part, int32_t place) {
    TreeNode node;
    node.class_counts.resize(classes_);
    for (const size_t row : rows_of(part)) {
      ++node.class_counts[static_cast<size_t>(labels_[row])];
    }
    const auto most = std::ranges::max_element(node.class_counts);
    node.label = static_cast<int32_t>(most - node.class_counts.begin());
    const bool pure = *most == node.rows();
    const auto split =
        pure || part.depth == max_depth_ ? std::nullopt : best_split(rows_of(part), node);
    if (split) {
      node.feature = static_cast<int32_t>(split->feature);
      node.threshold = split->threshold;
      const auto right = std::ranges::partition(rows_of(part), [&](size_t row) {
        return x_.row(row)[split->feature] <= split->threshold;
      });
      const size_t middle = part.end - right.size();
      // The left part is taken up first: preorder.
      waiting_.push_back({middle, part.end, part.depth + 1, place, false});
      waiting_.push_back({part.begin, middle, part.depth + 1, place, true});
    }
    nodes_.push_back(std::move(node));
  }

  // None when no column tells the rows apart.
  std::optional<Split> best_split(std::span<const size_t> rows, const TreeNode& node) const {
    std::optional<Split> best;
    Purity best_purity;
    std::vector<size_t> sorted(rows.begin(), rows.end());
    for (size_t feature = 0; feature < x_.columns(); ++feature) {
      const auto value = [&](size_t row) { return x_.row(row)[feature]; };
      std::ranges::sort(sorted, {}, value);
      Sides sides(node.class_counts);
      for (size_t i = 0; i + 1 < sorted.size(); ++i) {
        sides.move(labels_[sorted[i]]);
        if (value(sorted[i]) == value(sorted[i + 1])) continue;
        const Purity purity = sides.purity();
        if (best && !(purity > best_purity)) continue;
        best = {feature, between(value(sorted[i]), value(sorted[i + 1]))};
        best_purity = purity;
      }
    }
    return best;
  }

  const TableView& x_;
  std::span<const int32_t> labels_;
  size_t classes_;
  size_t max_depth_;
  std::vector<size_t> rows_;
  std::vector<TreeNode> nodes_;
  std::vector<Part> waiting_;  // last in, first out
};

}  // namespace

DecisionTree fit_decision_tree(const TableView& x, std::span<const int32_t> labels, size_t classes,
                               size_t max_depth) {
  if (x.rows() == 0 || x.rows() > kMostRows || labels.size() != x.rows()) {
    throw BadInput(
        fmt::format("a tree needs 1 to {} rows with a label each, got {} rows and {} "
                    "labels",
                    kMostRows, x.rows(), labels.size()));
  }
  for (const int32_t label : labels) {
    if (label < 0 || static_cast<size_t>(label) >= classes) {
      throw BadInput(
          fmt::format("expected a label 0 … {}, got {}", static_cast<int64_t>(classes) - 1, label));
    }
  }
  return DecisionTree(TreeFit(x, labels, classes, max_depth).run());
}

}  // namespace outerloop::interp
