// Products and factorisations of matrices.

#include "ops/rules.h"

namespace outerloop {
namespace rules {
namespace {

bool flag(const Attributes& attributes, std::string_view name) {
  return attributes.integer(name) != 0;
}

void require_square(const TensorType& type, std::string_view what) {
  require_floating(type, what);
  require_rank(type, 2, what);
  require(type.shape[0] == type.shape[1], "{} must be square, got {}", what, to_string(type));
}

// ---- Product ----

struct ProductShape {
  int64_t m, k, k_of_b, n;
};
ProductShape product_shape(TypeSpan inputs, const Attributes& attributes) {
  const Shape &a = inputs[0].shape, &b = inputs[1].shape;
  const int row = a.rank() - 2, column = a.rank() - 1;
  const bool ta = flag(attributes, "transpose_a"), tb = flag(attributes, "transpose_b");
  return {a[ta ? column : row], a[ta ? row : column], b[tb ? column : row], b[tb ? row : column]};
}

Types matmul_types(TypeSpan inputs, const Attributes& attributes) {
  const Shape &a = inputs[0].shape, &b = inputs[1].shape;
  require_floating(inputs[0], "the first matrix");
  require(inputs[0].dtype == inputs[1].dtype && a.rank() >= 2 && a.rank() == b.rank(),
          "matrices must have one element type and as many axes: {} and {}", to_string(inputs[0]),
          to_string(inputs[1]));
  Shape result;
  for (int axis = 0; axis < a.rank() - 2; ++axis) {
    require(a[axis] == b[axis], "leading axes must agree: {} and {}", to_string(a), to_string(b));
    result.append(a[axis]);
  }
  const auto [m, k, k_of_b, n] = product_shape(inputs, attributes);
  require(k == k_of_b, "inner extents must agree: {}{} x {}{}", to_string(a),
          flag(attributes, "transpose_a") ? "^T" : "", to_string(b),
          flag(attributes, "transpose_b") ? "^T" : "");
  result.append(m);
  result.append(n);
  return {{inputs[0].dtype, result}};
}

std::vector<Expr> matmul_vjp(const VjpArguments& v) {
  const bool ta = flag(v.equation.attributes, "transpose_a");
  const bool tb = flag(v.equation.attributes, "transpose_b");
  const Expr a = v.inputs[0], b = v.inputs[1], g = v.cotangent;
  std::vector<Expr> result(2);
  if (v.needed[0]) result[0] = ta ? matmul(b, g, tb, true) : matmul(g, b, false, !tb);
  if (v.needed[1]) result[1] = tb ? matmul(g, a, true, ta) : matmul(a, g, !ta, false);
  return result;
}

double matmul_flops(TypeSpan inputs, TypeSpan outputs, const Attributes& attributes) {
  return 2.0 * static_cast<double>(outputs[0].shape.elements()) *
         static_cast<double>(product_shape(inputs, attributes).k);
}

std::vector<OpSample> matmul_samples() {
  std::vector<OpSample> samples;
  for (int64_t ta : {0, 1}) {
    for (int64_t tb : {0, 1}) {
      const Attributes flags{{"transpose_a", ta}, {"transpose_b", tb}};
      const Shape a = ta ? Shape{4, 3} : Shape{3, 4}, b = tb ? Shape{5, 4} : Shape{4, 5};
      const auto stacked = [](const Shape& s) { return Shape{2, s[0], s[1]}; };
      samples.push_back({.inputs = {f32(a), f32(b)}, .attributes = flags});
      samples.push_back({.inputs = {f32(stacked(a)), f32(stacked(b))}, .attributes = flags});
    }
  }
  return samples;
}

// ---- Cholesky: derivative of Iain Murray, "Differentiation of the Cholesky decomposition", 2016
// ----

Types cholesky_types(TypeSpan inputs, const Attributes&) {
  require_square(inputs[0], "the matrix");
  return {inputs[0]};
}

// The lower triangle stands for a symmetric matrix.
Expr symmetric(Expr lower) {
  const Expr half = triangle(lower, true, 0.5);
  return half + transpose(half);
}
// dL = L Phi(L^-1 dA L^-T); Phi keeps the lower triangle and halves the diagonal.
Expr cholesky_jvp(const JvpArguments& a) {
  const Expr l = a.output;
  const Expr left = triangular_solve(l, symmetric(a.tangents[0]));
  const Expr both = triangular_solve(l, transpose(left));
  return matmul(l, triangle(both, true, 0.5));
}
std::vector<Expr> cholesky_vjp(const VjpArguments& a) {
  const Expr l = a.output;
  const Expr inner = triangle(matmul(l, a.cotangent, true), true, 0.5);
  const Expr left = triangular_solve(l, inner, true, true);
  const Expr both = triangular_solve(l, transpose(left), true, true);
  return {triangle(both + transpose(both), true, 0.5)};
}

double cholesky_flops(TypeSpan inputs, TypeSpan, const Attributes&) {
  const auto n = static_cast<double>(inputs[0].shape[0]);
  return n * n * n / 3;
}

std::vector<OpSample> cholesky_samples() {
  return {{.inputs = {f32({4, 4})}, .diagonal = 5}, {.inputs = {f32({1, 1})}, .diagonal = 5}};
}

// ---- Triangular systems ----

Types triangular_solve_types(TypeSpan inputs, const Attributes&) {
  require_square(inputs[0], "the matrix");
  require_rank(inputs[1], 2, "the right-hand side");
  require(inputs[0].dtype == inputs[1].dtype && inputs[0].shape[0] == inputs[1].shape[0],
          "the right-hand side must have the rows of the matrix: {} and {}", to_string(inputs[0]),
          to_string(inputs[1]));
  return {inputs[1]};
}

std::vector<Expr> triangular_solve_vjp(const VjpArguments& a) {
  const bool lower = flag(a.equation.attributes, "lower");
  const bool transposed = flag(a.equation.attributes, "transposed");
  const Expr x = a.output;
  const Expr db = triangular_solve(a.inputs[0], a.cotangent, lower, !transposed);
  if (!a.needed[0]) return {{}, db};
  const Expr outer = transposed ? matmul(x, db, false, true) : matmul(db, x, false, true);
  return {triangle(-outer, lower), db};
}
Expr triangular_solve_jvp(const JvpArguments& a) {
  const bool lower = flag(a.equation.attributes, "lower");
  const bool transposed = flag(a.equation.attributes, "transposed");
  Expr change;
  if (a.tangents[0].valid()) {
    change = matmul(triangle(a.tangents[0], lower), a.output, transposed);
  }
  return triangular_solve(a.inputs[0], minus(a.tangents[1], change), lower, transposed);
}

double triangular_solve_flops(TypeSpan inputs, TypeSpan outputs, const Attributes&) {
  return static_cast<double>(outputs[0].shape.elements() * inputs[0].shape[0]);
}

std::vector<OpSample> triangular_solve_samples() {
  std::vector<OpSample> samples;
  for (int64_t lower : {0, 1}) {
    for (int64_t transposed : {0, 1}) {
      samples.push_back({.inputs = {f32({4, 4}), f32({4, 2})},
                         .attributes = {{"lower", lower}, {"transposed", transposed}},
                         .diagonal = 3});
    }
  }
  return samples;
}

Types triangle_types(TypeSpan inputs, const Attributes&) {
  require_square(inputs[0], "the matrix");
  return {inputs[0]};
}
// Scaling by element is its own adjoint.
std::vector<Expr> triangle_vjp(const VjpArguments& a) {
  const Attributes& attributes = a.equation.attributes;
  return {triangle(a.cotangent, flag(attributes, "lower"), attributes.real("diagonal"))};
}
std::vector<OpSample> triangle_samples() {
  return {{.inputs = {f32({3, 3})}, .attributes = {{"lower", int64_t{1}}, {"diagonal", 0.5}}},
          {.inputs = {f32({3, 3})}, .attributes = {{"lower", int64_t{0}}, {"diagonal", 1.0}}}};
}

}  // namespace
}  // namespace rules

namespace ops {

constinit const OpDef matmul{.name = "matmul",
                             .arity = 2,
                             .group = OpGroup::contraction,
                             .infer = rules::matmul_types,
                             .vjp = rules::matmul_vjp,
                             .jvp = rules::bilinear_jvp,
                             .flops = rules::matmul_flops,
                             .samples = rules::matmul_samples};
constinit const OpDef cholesky{.name = "cholesky",
                               .arity = 1,
                               .group = OpGroup::linalg,
                               .infer = rules::cholesky_types,
                               .vjp = rules::cholesky_vjp,
                               .jvp = rules::cholesky_jvp,
                               .flops = rules::cholesky_flops,
                               .samples = rules::cholesky_samples};
constinit const OpDef triangular_solve{.name = "triangular_solve",
                                       .arity = 2,
                                       .group = OpGroup::linalg,
                                       .infer = rules::triangular_solve_types,
                                       .vjp = rules::triangular_solve_vjp,
                                       .jvp = rules::triangular_solve_jvp,
                                       .flops = rules::triangular_solve_flops,
                                       .samples = rules::triangular_solve_samples};
constinit const OpDef triangle{.name = "triangle",
                               .arity = 1,
                               .group = OpGroup::linalg,
                               .infer = rules::triangle_types,
                               .vjp = rules::triangle_vjp,
                               .jvp = rules::linear_jvp,
                               .samples = rules::triangle_samples};

}  // namespace ops

Expr matmul(Expr a, Expr b, bool transpose_a, bool transpose_b) {
  return a.builder().apply(
      ops::matmul, {a, b},
      {{"transpose_a", int64_t{transpose_a}}, {"transpose_b", int64_t{transpose_b}}});
}
Expr cholesky(Expr a) {
  return a.builder().apply(ops::cholesky, {a});
}
Expr triangular_solve(Expr matrix, Expr b, bool lower, bool transposed) {
  return b.builder().apply(ops::triangular_solve, {matrix, b},
                           {{"lower", int64_t{lower}}, {"transposed", int64_t{transposed}}});
}
Expr spd_solve(Expr a, Expr b) {
  const Expr l = cholesky(a);
  return triangular_solve(l, triangular_solve(l, b), true, true);
}
Expr triangle(Expr x, bool lower, double diagonal) {
  return x.builder().apply(ops::triangle, {x}, {{"lower", int64_t{lower}}, {"diagonal", diagonal}});
}

}  // namespace outerloop
