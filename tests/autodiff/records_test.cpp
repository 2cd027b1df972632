// Derivatives of every op record, generated from the records' samples, in float64:
//   - orders 1 to 3 by recursion: F0 = sum of c (y + y^2/2 + y^3/6), F(n+1) = grad F(n) . v, each
//     against central differences of the one before;
//   - vjp against jvp: <c, J v> = <J^T c, v>.

#include "outerloop/ops/records.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/samples.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"

namespace outerloop {
namespace {

using testing::OpCase;
constexpr int kOrders = 3;

// Inputs without a range of their own to move in, such as masks, are constants.
bool moves(const OpSample& sample, size_t input) {
  if (!is_floating(sample.inputs[input].dtype)) return false;
  return sample.ranges.empty() || sample.ranges[input].first != sample.ranges[input].second;
}

// The op on its sample, with a direction for each moving input and a weight for each floating
// output as further inputs of the program.
struct Setting {
  Builder builder;
  OpSample sample;
  std::vector<Expr> inputs, moving, directions, outputs, weights;
  std::vector<TensorType> extra;  // types of directions, then of weights

  explicit Setting(const OpCase& c) : sample(testing::in_type(testing::sample_of(c), DType::f64)) {
    const auto add = [&](const char* kind, size_t i, const TensorType& type) {
      return builder.input(kind + std::to_string(i), type, Binding::per_lane);
    };
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      inputs.push_back(add("x", i, sample.inputs[i]));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!moves(sample, i)) continue;
      moving.push_back(inputs[i]);
      directions.push_back(add("v", i, sample.inputs[i]));
      extra.push_back(sample.inputs[i]);
    }
    for (Expr y : builder.apply_multiple(*c.op, inputs, sample.attributes)) {
      if (!is_floating(y.dtype())) continue;
      outputs.push_back(y);
      weights.push_back(add("c", outputs.size(), y.type()));
      extra.push_back(y.type());
    }
  }

  // Sum of elementwise products; symbolic zeros add nothing.
  Expr dot(std::span<const Expr> a, std::span<const Expr> b) {
    Expr total = constant(builder, 0, {DType::f64, {}});
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i].valid()) total = total + sum(a[i] * b[i]);
    }
    return total;
  }
};

// The values of all inputs; x + t v for the moving ones.
std::vector<Tensor> inputs_at(const Setting& setting, const std::vector<Tensor>& x,
                              const std::vector<Tensor>& extra, double t) {
  std::vector<Tensor> result = x;
  size_t next = 0;
  for (size_t place = 0; place < x.size(); ++place) {
    if (!moves(setting.sample, place)) continue;
    Tensor moved = x[place].clone();
    const auto direction = extra[next++].as<double>();
    for (size_t i = 0; i < direction.size(); ++i) moved.as<double>()[i] += t * direction[i];
    result[place] = moved;
  }
  result.insert(result.end(), extra.begin(), extra.end());
  EXPECT_EQ(next, setting.moving.size());
  return result;
}

std::vector<Tensor> draw_extra(const Setting& setting, std::mt19937& generator) {
  std::vector<Tensor> result;
  for (const TensorType& type : setting.extra) {
    result.push_back(testing::draw_uniform(type, -1, 1, generator));
  }
  return result;
}

class RecordDerivatives : public ::testing::TestWithParam<OpCase> {};

TEST_P(RecordDerivatives, AgreeWithCentralDifferencesToOrderThree) {
  Setting setting(GetParam());
  Builder& builder = setting.builder;
  if (GetParam().op == &ops::stop_gradient) {  // zero by definition, whatever the differences say
    EXPECT_FALSE(grad(builder, sum(setting.outputs[0]), setting.moving)[0].valid());
    return;
  }
  Expr value = constant(builder, 0, {DType::f64, {}});
  for (size_t i = 0; i < setting.outputs.size(); ++i) {
    const Expr y = setting.outputs[i];
    value = value + sum(setting.weights[i] * (y + y * y * 0.5 + y * y * y * (1.0 / 6)));
  }
  builder.output("0", value);
  for (int order = 1; order <= kOrders; ++order) {
    value = setting.dot(grad(builder, value, setting.moving), setting.directions);
    builder.output(std::to_string(order), value);
  }
  const Program program = builder.finish();

  std::mt19937 generator(3);
  const std::vector<Tensor> x = testing::draw_inputs(setting.sample, generator);
  const std::vector<Tensor> extra = draw_extra(setting, generator);
  const auto values_at = [&](double t) {
    std::vector<double> values;
    for (const Tensor& f : exec::interpret(program, inputs_at(setting, x, extra, t))) {
      values.push_back(f.as<double>()[0]);
    }
    return values;
  };
  constexpr double kStep = 1e-3;
  const auto at = values_at(0), ahead = values_at(kStep), far_ahead = values_at(2 * kStep),
             behind = values_at(-kStep), far_behind = values_at(-2 * kStep);
  double scale = 1;
  for (size_t n = 1; n < at.size(); ++n) {
    // Fourth-order formula.
    const double difference =
        (8 * (ahead[n - 1] - behind[n - 1]) - (far_ahead[n - 1] - far_behind[n - 1])) /
        (12 * kStep);
    scale = std::max(scale, std::fabs(at[n]));
    EXPECT_NEAR(at[n], difference, 1e-7 * scale) << "order " << n << "\n" << print(program);
  }
}

TEST_P(RecordDerivatives, ForwardAndReverseModeAreTransposed) {
  Setting setting(GetParam());
  Builder& builder = setting.builder;
  const auto tangents = jvp(builder, setting.outputs, setting.moving, setting.directions);
  const auto cotangents = vjp(builder, setting.outputs, setting.moving, setting.weights);
  builder.output("forward", setting.dot(tangents, setting.weights));
  builder.output("reverse", setting.dot(cotangents, setting.directions));
  const Program program = builder.finish();

  std::mt19937 generator(4);
  const std::vector<Tensor> x = testing::draw_inputs(setting.sample, generator);
  const auto results =
      exec::interpret(program, inputs_at(setting, x, draw_extra(setting, generator), 0));
  const double forward = results[0].as<double>()[0], reverse = results[1].as<double>()[0];
  EXPECT_NEAR(forward, reverse, 1e-12 * (1 + std::fabs(forward)));
}

INSTANTIATE_TEST_SUITE_P(All, RecordDerivatives, ::testing::ValuesIn(testing::all_cases()),
                         [](const auto& instance) { return testing::name_of(instance.param); });

}  // namespace
}  // namespace outerloop
