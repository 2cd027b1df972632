#include "reference/derivative_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/error.h"
#include "outerloop/nn/functions.h"

namespace outerloop::reference {
namespace {

using Group = DerivativeGroup;

// ---- What names and constants say ----

Axes digits(std::string_view text) {
  Axes result;
  for (char c : text) {
    if (c >= '0' && c <= '9') result.push_back(c - '0');
  }
  return result;
}

// "axis0", "axes02", "axis1_keep", "all".
Axes axes_of(const Group& g) {
  if (!g.kind.starts_with("all")) return digits(g.kind);
  Axes all;
  for (int axis = 0; axis < g.x[0].shape().rank(); ++axis) all.push_back(axis);
  return all;
}

// "nt": the second matrix is stored transposed.
Expr product(const Group& g) {
  return matmul(g.x[0], g.x[1], g.kind.starts_with("t"), g.kind.ends_with("t"));
}

Expr convolution(const Group& g) {
  const auto low = g.integers("pad_low"), high = g.integers("pad_high");
  const auto stride = g.integers("stride");
  const Pads2d pads{low.at(0), high.at(0), low.at(1), high.at(1)};
  if (stride.at(0) == stride.at(1)) return conv2d(g.x[0], g.x[1], stride[0], pads);
  const Expr dense = conv2d(g.x[0], g.x[1], 1, pads);
  const auto extents = dense.shape().extents();
  return slice(dense, {0, 0, 0, 0}, Axes(extents.begin(), extents.end()),
               {1, stride[0], stride[1], 1});
}

Expr triangular(const Group& g) {
  return triangular_solve(g.x[0], g.x[1], g.kind.starts_with("lower"), g.kind.ends_with("trans"));
}

// Each of these adds a multiple of the identity to a matrix that it makes symmetric.
Expr identity_like(Expr matrix) {
  return identity_matrix(matrix.builder(), matrix.shape()[0], matrix.dtype());
}
Expr cholesky_of_symmetric(const Group& g) {
  return cholesky((g.x[0] + transpose(g.x[0])) * 0.5 + identity_like(g.x[0]) * 5.0);
}
Expr solve_gram(const Group& g) {
  const Expr gram = matmul(g.x[0], g.x[0], false, true);
  return spd_solve(gram + identity_like(gram), g.x[1]);
}

int64_t pool_window(const Group& g) {
  return digits(g.kind).at(0);  // "2x2_even"
}

struct Entry {
  std::string_view name;
  DerivativeOp op;
};
constexpr Entry kOps[] = {
    {"abs", [](const Group& g) { return abs(g.x[0]); }},
    {"add", [](const Group& g) { return g.x[0] + g.x[1]; }},
    {"batch_matmul", product},
    {"batch_norm",
     [](const Group& g) { return nn::batch_norm(g.x[0], g.x[1], g.x[2], g.reals("eps").at(0)); }},
    {"broadcast", [](const Group& g) { return broadcast_to(g.x[0], g.out); }},
    {"cholesky", cholesky_of_symmetric},
    {"concat", [](const Group& g) { return concat(g.x, digits(g.kind).at(0)); }},
    {"conv2d", convolution},
    {"cos", [](const Group& g) { return cos(g.x[0]); }},
    {"div", [](const Group& g) { return g.x[0] / g.x[1]; }},
    {"exp", [](const Group& g) { return exp(g.x[0]); }},
    {"gather_cols", [](const Group& g) { return gather(g.x[0], g.labels("index"), 1); }},
    {"gather_rows", [](const Group& g) { return gather(g.x[0], g.labels("index"), 0); }},
    {"log", [](const Group& g) { return log(g.x[0]); }},
    {"log_softmax", [](const Group& g) { return nn::log_softmax(g.x[0]); }},
    {"logistic", [](const Group& g) { return logistic(g.x[0]); }},
    {"matmul", product},
    {"max", [](const Group& g) { return maximum(g.x[0], g.x[1]); }},
    {"max_pool", [](const Group& g) { return nn::max_pool(g.x[0], pool_window(g)); }},
    {"mean", [](const Group& g) { return mean(g.x[0], axes_of(g)); }},
    {"min", [](const Group& g) { return minimum(g.x[0], g.x[1]); }},
    {"mse", [](const Group& g) { return nn::mean_squared_error(g.x[0], g.x[1]); }},
    {"mul", [](const Group& g) { return g.x[0] * g.x[1]; }},
    {"neg", [](const Group& g) { return -g.x[0]; }},
    {"pad",
     [](const Group& g) {
       return pad(g.x[0], g.integers("low"), g.integers("high"), g.integers("interior"));
     }},
    {"pow", [](const Group& g) { return pow(g.x[0], g.reals("exponent").at(0)); }},
    {"reciprocal", [](const Group& g) { return reciprocal(g.x[0]); }},
    {"reduce_max", [](const Group& g) { return reduce_max(g.x[0], axes_of(g)); }},
    {"relu", [](const Group& g) { return relu(g.x[0]); }},
    {"reshape", [](const Group& g) { return reshape(g.x[0], g.out); }},
    {"rsqrt", [](const Group& g) { return rsqrt(g.x[0]); }},
    {"scatter_add_rows",
     [](const Group& g) {
       const int64_t rows = g.x[0].shape()[0];
       return g.x[0] + scatter_add(g.x[1], g.labels("index"), 0, rows);
     }},
    {"select", [](const Group& g) { return select(g.tensor("mask"), g.x[0], g.x[1]); }},
    {"sin", [](const Group& g) { return sin(g.x[0]); }},
    {"slice",
     [](const Group& g) {
       return slice(g.x[0], g.integers("start"), g.integers("stop"), g.integers("step"));
     }},
    {"softmax", [](const Group& g) { return nn::softmax(g.x[0]); }},
    {"softmax_xent",
     [](const Group& g) { return nn::softmax_cross_entropy(g.x[0], g.labels("label")); }},
    {"spd_solve", solve_gram},
    {"sqrt", [](const Group& g) { return sqrt(g.x[0]); }},
    {"square", [](const Group& g) { return square(g.x[0]); }},
    {"sub", [](const Group& g) { return g.x[0] - g.x[1]; }},
    {"sum", [](const Group& g) { return sum(g.x[0], axes_of(g)); }},
    {"take_per_row", [](const Group& g) { return take_per_row(g.x[0], g.labels("index")); }},
    {"tanh", [](const Group& g) { return tanh(g.x[0]); }},
    {"transpose",
     [](const Group& g) {
       return g.kind == "2d" ? transpose(g.x[0]) : transpose(g.x[0], digits(g.kind));
     }},
    {"triangular_solve", triangular},
};

std::string constant_path(const Group& g, std::string_view name) {
  return fmt::format("{}/const/{}", g.path, name);
}

}  // namespace

std::vector<double> DerivativeGroup::reals(std::string_view name) const {
  return context.expected(constant_path(*this, name));
}

std::vector<int64_t> DerivativeGroup::integers(std::string_view name) const {
  std::vector<int64_t> result;
  for (double value : reals(name)) result.push_back(std::llround(value));
  return result;
}

Expr DerivativeGroup::labels(std::string_view name) const {
  constants.push_back(context.labels(constant_path(*this, name)));
  const Tensor& value = constants.back();
  return builder.input(std::string(name), {DType::i32, value.shape()}, Binding::per_lane);
}

Expr DerivativeGroup::tensor(std::string_view name) const {
  constants.push_back(context.input(constant_path(*this, name)));
  const Tensor& value = constants.back();
  return builder.input(std::string(name), {value.dtype(), value.shape()}, Binding::per_lane);
}

FoundOp derivative_op(std::string_view group) {
  if (group.ends_with("_lin")) group.remove_suffix(4);
  const Entry* longest = nullptr;
  for (const Entry& entry : kOps) {
    const bool fits =
        group == entry.name || (group.starts_with(entry.name) && group[entry.name.size()] == '_');
    if (fits && (longest == nullptr || entry.name.size() > longest->name.size())) longest = &entry;
  }
  if (longest == nullptr) throw BadInput(fmt::format("no op is called '{}'", group));
  const size_t end = std::min(longest->name.size() + 1, group.size());
  return {longest->op, group.substr(end)};
}

}  // namespace outerloop::reference
