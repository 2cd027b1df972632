// explain.h5: local linear models, Shapley values, a decision tree. Each group of the file is told
// by what it holds.
//
//   Z, y, weight, alpha; coef, intercept, weighted_r2
//   value_table, orders; shapley, kernel_shap, kernel_weight_by_size, permutation_shap_all,
//     permutation_shap_antithetic
//   X, centroids; labels, depth<d>/{nodes, fidelity}

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "outerloop/base/error.h"
#include "outerloop/interp/decision_tree.h"
#include "outerloop/interp/lime.h"
#include "outerloop/interp/shapley.h"
#include "reference/fields.h"
#include "reference/layouts.h"
#include "reference/stored_model.h"

namespace outerloop::reference {

namespace {

// One axis.
void check_list(Context& context, const std::string& name, const std::vector<double>& got,
                double tolerance) {
  check_array(context, name, {static_cast<int64_t>(got.size())}, got, tolerance);
}

template <class T>
void check_ridge(Context& context, const std::string& group) {
  const auto read = [&](const std::string& name) {
    return context.file.read(group + "/" + name).cast(dtype_of<T>);
  };
  const Tensor z = read("Z");
  const Tensor y = read("y");
  const Tensor weight = read("weight");
  const auto fit = interp::weighted_ridge<T>(z.as<T>(), y.as<T>(), weight.as<T>(),
                                             static_cast<T>(context.scalar(group + "/alpha")));
  const double tolerance = context.tolerance(1e-5, 1e-11);
  // The intercept and R^2 are what differences leave: of numbers like y, and from 1.
  const auto compare = [&](const std::string& name, T got, double scale) {
    const std::vector<double> expected = context.expected(group + "/" + name, Shape{});
    context.report.scaled(group + "/" + name, std::vector<double>{got}, expected,
                          std::max(norm_of(expected), scale), tolerance);
  };
  const double y_size = norm_of(y.to_doubles()) / std::sqrt(static_cast<double>(y.elements()));
  check_list(context, group + "/coef", {fit.coefficients.begin(), fit.coefficients.end()},
             tolerance);
  compare("intercept", fit.intercept, y_size);
  compare("weighted_r2", fit.weighted_r2, 1);
}

void check_lime(Context& context, const std::string& group) {
  context.report.add_group(group, {"kernel_width"});
  context.dtype == DType::f32 ? check_ridge<float>(context, group)
                              : check_ridge<double>(context, group);
}

std::vector<interp::Order> stored_orders(const Context& context, const std::string& path,
                                         size_t players) {
  const std::vector<double> numbers = context.expected(path);
  std::vector<interp::Order> orders;
  for (size_t start = 0; start + players <= numbers.size(); start += players) {
    const auto first = numbers.begin() + static_cast<std::ptrdiff_t>(start);
    orders.emplace_back(first, first + static_cast<std::ptrdiff_t>(players));
  }
  return orders;
}

void check_shap(Context& context, const std::string& group) {
  constexpr double kTolerance = 1e-12;
  constexpr size_t kMostListed = 8;  // players whose orders are all tried
  context.report.add_group(group);
  const std::vector<double> table = context.expected(group + "/value_table");
  const size_t players = interp::players_of(table);
  const auto value = [&](uint64_t members) { return table.at(members); };
  const std::vector<double> exact = interp::exact_shapley(table);
  check_list(context, group + "/shapley", exact, kTolerance);
  check_list(context, group + "/kernel_weight_by_size", interp::shapley_kernel(players),
             kTolerance);
  check_list(context, group + "/kernel_shap", interp::kernel_shapley(table), kTolerance);
  // Many orders: their mean is the definition of what was computed exactly.
  check_list(context, group + "/permutation_shap_all",
             players > kMostListed
                 ? exact
                 : interp::permutation_shapley(value, interp::all_orders(players)),
             kTolerance);
  if (!context.file.exists(group + "/orders")) return;
  const auto orders = stored_orders(context, group + "/orders", players);
  check_list(context, group + "/permutation_shap_antithetic",
             interp::permutation_shapley(value, interp::with_reversed(orders)), kTolerance);
}

// Rows of `nodes`: feature, threshold, left, right, class, n, count of each class.
std::vector<double> node_rows(const interp::DecisionTree& tree) {
  std::vector<double> rows;
  for (const interp::TreeNode& node : tree.nodes()) {
    rows.push_back(node.feature);
    rows.push_back(node.threshold);
    rows.push_back(node.left);
    rows.push_back(node.right);
    rows.push_back(node.label);
    rows.push_back(static_cast<double>(node.rows()));
    rows.insert(rows.end(), node.class_counts.begin(), node.class_counts.end());
  }
  return rows;
}

// d of "depth<d>", or none.
std::optional<size_t> depth_of(const std::string& name) {
  constexpr std::string_view kPrefix = "depth";
  size_t depth = 0;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, depth);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return depth;
}

void check_cart(Context& context, const std::string& group) {
  const Shape shape = context.file.info(group + "/centroids").shape;
  if (shape.rank() != 2) {
    throw BadInput(fmt::format("{}: {}/centroids: expected (classes, columns), got {}",
                               context.file.path().string(), group, to_string(shape)));
  }
  context.report.add_group(group);
  const auto columns = static_cast<size_t>(shape[1]);
  const std::vector<double> values = context.expected(group + "/X");
  const std::vector<double> centres = context.expected(group + "/centroids");
  const interp::TableView x(values, columns);
  const interp::TableView centroids(centres, columns);
  std::vector<int32_t> labels;
  for (size_t i = 0; i < x.rows(); ++i) {
    labels.push_back(static_cast<int32_t>(nearest_centroid(centroids, x.row(i))));
  }
  Report& report = context.report;
  report.absolute(group + "/labels", std::vector<double>(labels.begin(), labels.end()),
                  context.expected(group + "/labels", {static_cast<int64_t>(x.rows())}), 0);
  for (const std::string& name : context.file.list(group)) {
    const auto depth = depth_of(name);
    if (!depth) continue;
    const std::string path = group + "/" + name;
    const auto tree = interp::fit_decision_tree(x, labels, centroids.rows(), *depth);
    // Counts and places are whole numbers: no difference of one passes.
    const std::vector<double> rows = node_rows(tree);
    const auto nodes = static_cast<int64_t>(tree.nodes().size());
    check_array(context, path + "/nodes", {nodes, static_cast<int64_t>(rows.size()) / nodes}, rows,
                1e-12);
    check_array(context, path + "/fidelity", Shape{}, {tree.fidelity(x, labels)}, 1e-12);
  }
}

struct Part {
  const char* told_by;  // a member of the group
  void (*check)(Context& context, const std::string& group);
};
constexpr Part kParts[] = {
    {"Z", check_lime}, {"value_table", check_shap}, {"centroids", check_cart}};

const Part* kind_of(const StoredFile& file, const std::string& group) {
  for (const Part& part : kParts) {
    if (file.is_group(group) && file.exists(fmt::format("{}/{}", group, part.told_by)))
      return &part;
  }
  return nullptr;
}

}  // namespace

bool is_explain(const StoredFile& file) {
  return std::ranges::any_of(file.list(), [&](const auto& group) { return kind_of(file, group); });
}

void check_explain(Context& context) {
  for (const std::string& group : context.file.list()) {
    const Part* part = kind_of(context.file, group);
    if (part != nullptr) part->check(context, group);
  }
}

}  // namespace outerloop::reference
