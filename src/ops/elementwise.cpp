// Ops on one element at a time. All inputs and the output have one shape.

#include "ops/functors.h"
#include "ops/rules.h"

namespace outerloop::rules {
namespace {

using Scalars = std::span<const Scalar>;

Types elementwise_types(TypeSpan inputs, const Attributes&) {
  require_floating(inputs[0], "the argument");
  for (const TensorType& input : inputs) require_same(inputs[0], input, "the arguments");
  return {inputs[0]};
}

// dy/dx of y = f(x), element by element.
using Derivative = Expr (*)(const Attributes& attributes, Expr x, Expr y);

template <Derivative derivative>
std::vector<Expr> unary_vjp(const VjpArguments& a) {
  return {a.cotangent * derivative(a.equation.attributes, a.inputs[0], a.output)};
}

template <Derivative derivative>
Expr unary_jvp(const JvpArguments& a) {
  return a.tangents[0] * derivative(a.equation.attributes, a.inputs[0], a.output);
}

using Samples = std::vector<OpSample> (*)();

constexpr OpDef record(std::string_view name, int arity, ScalarRule scalar, VjpRule vjp,
                       JvpRule jvp, Samples samples) {
  return {.name = name,
          .arity = arity,
          .group = OpGroup::elementwise,
          .infer = elementwise_types,
          .scalar = scalar,
          .vjp = vjp,
          .jvp = jvp,
          .in_place = true,
          .samples = samples};
}

template <Derivative derivative>
constexpr OpDef unary(std::string_view name, ScalarRule scalar, Samples samples) {
  return record(name, 1, scalar, unary_vjp<derivative>, unary_jvp<derivative>, samples);
}

Scalar zero(Scalar like) {
  return like.builder->constant(0);
}

// Samples: an odd number of elements, a scalar, several axes.
std::vector<OpSample> unary_samples(double low, double high, double margin = 0) {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{3, 7}, Shape{}, Shape{2, 1, 5}}) {
    samples.push_back({.inputs = {f32(shape)}, .low = low, .high = high, .margin = margin});
  }
  return samples;
}
std::vector<OpSample> near_zero() {
  return unary_samples(-2, 2);
}
std::vector<OpSample> positive() {
  return unary_samples(0.3, 3);
}
std::vector<OpSample> off_zero() {
  return unary_samples(-2, 2, 0.2);
}
std::vector<OpSample> binary_samples() {
  return {{.inputs = {f32({3, 7}), f32({3, 7})}, .low = -2, .high = 2, .margin = 0.2},
          {.inputs = {f32({}), f32({})}, .low = -2, .high = 2, .margin = 0.2}};
}

// ---- One argument ----

std::vector<Expr> neg_vjp(const VjpArguments& a) {
  return {-a.cotangent};
}
Expr neg_jvp(const JvpArguments& a) {
  return -a.tangents[0];
}
Expr exp_derivative(const Attributes&, Expr, Expr y) {
  return y;
}
Expr log_derivative(const Attributes&, Expr x, Expr) {
  return reciprocal(x);
}
// 0 where y is 0. The denominator is moved away from 0 there, so that higher orders stay finite.
Expr sqrt_derivative(const Attributes&, Expr, Expr y) {
  const Expr at_zero = equal(y, zeros_like(y));
  return (1.0 - at_zero) * 0.5 / (y + at_zero);
}
Expr rsqrt_derivative(const Attributes&, Expr, Expr y) {
  return square(y) * y * -0.5;
}
Expr tanh_derivative(const Attributes&, Expr, Expr y) {
  return 1.0 - square(y);
}
Expr logistic_derivative(const Attributes&, Expr, Expr y) {
  return y - square(y);
}
Expr sin_derivative(const Attributes&, Expr x, Expr) {
  return cos(x);
}
Expr cos_derivative(const Attributes&, Expr x, Expr) {
  return -sin(x);
}
Expr abs_derivative(const Attributes&, Expr x, Expr) {
  return sign(x);
}
Expr square_derivative(const Attributes&, Expr x, Expr) {
  return x * 2.0;
}
Expr reciprocal_derivative(const Attributes&, Expr, Expr y) {
  return -square(y);
}
Expr pow_derivative(const Attributes& attributes, Expr x, Expr) {
  const double exponent = attributes.real("exponent");
  if (exponent == 0) return zeros_like(x);  // also at x = 0
  return exponent * pow(x, exponent - 1);
}

// The mask comes from the output, so the argument need not be kept.
Expr where_positive(Expr y, Expr value) {
  const Expr none = zeros_like(y);
  return select(less(none, y), value, none);
}
std::vector<Expr> relu_vjp(const VjpArguments& a) {
  return {where_positive(a.output, a.cotangent)};
}
Expr relu_jvp(const JvpArguments& a) {
  return where_positive(a.output, a.tangents[0]);
}

std::vector<OpSample> pow_samples() {
  std::vector<OpSample> samples;
  for (double exponent : {2.7, -1.5, 0.5}) {
    samples.push_back(
        {.inputs = {f32({3, 7})}, .attributes = {{"exponent", exponent}}, .low = 0.3, .high = 3});
  }
  for (double exponent : {3.0, -2.0, 0.0, 1.0}) {
    samples.push_back({.inputs = {f32({3, 7})},
                       .attributes = {{"exponent", exponent}},
                       .low = -2,
                       .high = 2,
                       .margin = 0.3});
  }
  return samples;
}

// ---- Two and three arguments ----

std::vector<Expr> add_vjp(const VjpArguments& a) {
  return {a.cotangent, a.cotangent};
}
Expr add_jvp(const JvpArguments& a) {
  return plus(a.tangents[0], a.tangents[1]);
}
std::vector<Expr> sub_vjp(const VjpArguments& a) {
  return {a.cotangent, a.needed[1] ? -a.cotangent : Expr{}};
}

Expr sub_jvp(const JvpArguments& a) {
  return minus(a.tangents[0], a.tangents[1]);
}

std::vector<Expr> mul_vjp(const VjpArguments& a) {
  return {a.needed[0] ? a.cotangent * a.inputs[1] : Expr{},
          a.needed[1] ? a.cotangent * a.inputs[0] : Expr{}};
}
Expr mul_jvp(const JvpArguments& a) {
  const auto product = [](Expr tangent, Expr factor) {
    return tangent.valid() ? tangent * factor : tangent;
  };
  return plus(product(a.tangents[0], a.inputs[1]), product(a.tangents[1], a.inputs[0]));
}

std::vector<Expr> div_vjp(const VjpArguments& a) {
  const Expr scaled = a.cotangent / a.inputs[1];
  return {scaled, a.needed[1] ? -(scaled * a.output) : Expr{}};
}
Expr div_jvp(const JvpArguments& a) {
  const Expr change = a.tangents[1].valid() ? a.output * a.tangents[1] : Expr{};
  return minus(a.tangents[0], change) / a.inputs[1];
}

// d(mask ? a : b) = mask ? da : db.
Expr select_tangent(Expr mask, Expr if_true, Expr if_false) {
  if (!if_true.valid() && !if_false.valid()) return {};
  const Expr none = if_true.valid() && if_false.valid() ? Expr{} : zeros_like(mask);
  return select(mask, if_true.valid() ? if_true : none, if_false.valid() ? if_false : none);
}

// a wins where the mask holds.
Expr maximum_mask(Expr a, Expr b) {
  return less(b, a);
}
Expr minimum_mask(Expr a, Expr b) {
  return less(a, b);
}
using Mask = Expr (*)(Expr a, Expr b);
template <Mask mask_of>
std::vector<Expr> choice_vjp(const VjpArguments& a) {
  const Expr mask = mask_of(a.inputs[0], a.inputs[1]);
  return {a.needed[0] ? select_tangent(mask, a.cotangent, {}) : Expr{},
          a.needed[1] ? select_tangent(mask, {}, a.cotangent) : Expr{}};
}
template <Mask mask_of>
Expr choice_jvp(const JvpArguments& a) {
  return select_tangent(mask_of(a.inputs[0], a.inputs[1]), a.tangents[0], a.tangents[1]);
}

std::vector<Expr> select_vjp(const VjpArguments& a) {
  return {{},
          a.needed[1] ? select_tangent(a.inputs[0], a.cotangent, {}) : Expr{},
          a.needed[2] ? select_tangent(a.inputs[0], {}, a.cotangent) : Expr{}};
}

Expr select_jvp(const JvpArguments& a) {
  return select_tangent(a.inputs[0], a.tangents[1], a.tangents[2]);
}

// ---- Samples of these ----

std::vector<OpSample> select_samples() {
  // The mask holds everywhere, then nowhere.
  std::vector<OpSample> samples;
  for (const auto& range : {std::pair{1.0, 1.0}, {0.0, 0.0}}) {
    samples.push_back({.inputs = {f32({3, 7}), f32({3, 7}), f32({3, 7})},
                       .ranges = {range, {-2.0, 2.0}, {-2.0, 2.0}}});
  }
  return samples;
}

}  // namespace
}  // namespace outerloop::rules

namespace outerloop::ops {

using namespace rules;

#define BODY(expression) [](Scalars in, const Attributes&) -> Scalar { return expression; }

constinit const OpDef neg = record("neg", 1, BODY(-in[0]), neg_vjp, neg_jvp, near_zero);
constinit const OpDef exp = unary<exp_derivative>("exp", BODY(exp_body(in[0])), near_zero);
constinit const OpDef log = unary<log_derivative>("log", BODY(log_body(in[0])), positive);
constinit const OpDef sqrt = unary<sqrt_derivative>("sqrt", BODY(outerloop::sqrt(in[0])), positive);
constinit const OpDef rsqrt =
    unary<rsqrt_derivative>("rsqrt", BODY(1.0 / outerloop::sqrt(in[0])), positive);
constinit const OpDef tanh = unary<tanh_derivative>("tanh", BODY(tanh_body(in[0])), near_zero);
constinit const OpDef logistic =
    unary<logistic_derivative>("logistic", BODY(logistic_body(in[0])), near_zero);
constinit const OpDef sin = unary<sin_derivative>("sin", BODY(sin_body(in[0])), near_zero);
constinit const OpDef cos = unary<cos_derivative>("cos", BODY(cos_body(in[0])), near_zero);
constinit const OpDef abs = unary<abs_derivative>("abs", BODY(outerloop::abs(in[0])), off_zero);
constinit const OpDef square = unary<square_derivative>("square", BODY(in[0] * in[0]), near_zero);
constinit const OpDef reciprocal =
    unary<reciprocal_derivative>("reciprocal", BODY(1.0 / in[0]), off_zero);
constinit const OpDef pow = unary<pow_derivative>(
    "pow",
    [](Scalars in, const Attributes& attributes) {
      return pow_body(in[0], attributes.real("exponent"));
    },
    pow_samples);
// A NaN stays one: 0 > NaN does not hold.
constinit const OpDef relu =
    record("relu", 1, BODY(max(zero(in[0]), in[0])), relu_vjp, relu_jvp, off_zero);

constinit const OpDef sign = record(
    "sign", 1, BODY(outerloop::less(zero(in[0]), in[0]) - outerloop::less(in[0], zero(in[0]))),
    nullptr, nullptr, off_zero);
constinit const OpDef stop_gradient =
    record("stop_gradient", 1, BODY(in[0]), nullptr, nullptr, near_zero);

constinit const OpDef add = record("add", 2, BODY(in[0] + in[1]), add_vjp, add_jvp, binary_samples);
constinit const OpDef sub = record("sub", 2, BODY(in[0] - in[1]), sub_vjp, sub_jvp, binary_samples);
constinit const OpDef mul = record("mul", 2, BODY(in[0] * in[1]), mul_vjp, mul_jvp, binary_samples);
constinit const OpDef div = record("div", 2, BODY(in[0] / in[1]), div_vjp, div_jvp, binary_samples);
constinit const OpDef maximum =
    record("maximum", 2, BODY(max(in[0], in[1])), choice_vjp<maximum_mask>,
           choice_jvp<maximum_mask>, binary_samples);
constinit const OpDef minimum =
    record("minimum", 2, BODY(min(in[0], in[1])), choice_vjp<minimum_mask>,
           choice_jvp<minimum_mask>, binary_samples);
constinit const OpDef less =
    record("less", 2, BODY(outerloop::less(in[0], in[1])), nullptr, nullptr, binary_samples);
constinit const OpDef less_equal = record(
    "less_equal", 2, BODY(outerloop::less_equal(in[0], in[1])), nullptr, nullptr, binary_samples);
constinit const OpDef equal =
    record("equal", 2, BODY(outerloop::equal(in[0], in[1])), nullptr, nullptr, binary_samples);
constinit const OpDef select = record("select", 3, BODY(outerloop::select(in[0], in[1], in[2])),
                                      select_vjp, select_jvp, select_samples);

#undef BODY

}  // namespace outerloop::ops
