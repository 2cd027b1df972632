// derivatives.h5: ops with their gradients, Hessian-vector products and third derivatives.
//
//   op/<name>/{inputs/i, const/*, c, out, value, grad/i, v/i, hvp/i, u/i, d3/i}
//
// f = sum(c (y + y^2/2 + y^3/6)), or sum(c y) where the attribute `wrap` says so; hvp = d/dt
// grad f(x + t v), d3 = d/dt hvp(x + t u).

#include <fmt/format.h>

#include <cmath>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/base/error.h"
#include "reference/derivative_ops.h"
#include "reference/layouts.h"

namespace outerloop::reference {
namespace {

// Reads 0, 1, … of a group.
std::vector<Tensor> numbered(const Context& context, const std::string& group) {
  std::vector<Tensor> result;
  for (size_t i = 0; context.file.exists(fmt::format("{}/{}", group, i)); ++i) {
    result.push_back(context.input(fmt::format("{}/{}", group, i)));
  }
  return result;
}

// One like each of the inputs.
std::vector<Tensor> directions(const Context& context, const std::string& group,
                               std::span<const Tensor> inputs) {
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    const std::string path = fmt::format("{}/{}", group, result.size());
    result.push_back(context.input(path, input.shape()));
  }
  return result;
}

std::vector<double> joined(std::span<const Tensor> parts) {
  std::vector<double> result;
  for (const Tensor& part : parts) {
    const auto values = part.to_doubles();
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

// Arrays like the inputs.
std::vector<double> stored(const Context& context, const std::string& group,
                           std::span<const Tensor> inputs) {
  std::vector<double> result;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto values = context.expected(fmt::format("{}/{}", group, i), inputs[i].shape());
    result.insert(result.end(), values.begin(), values.end());
  }
  return result;
}

bool wrapped(const Context& context, const std::string& path) {
  return context.file.attribute_text(path, "wrap").find("y^2") != std::string::npos;
}

// A program being written together with the values of its inputs.
struct Draft {
  Builder builder;
  std::vector<Tensor> values;

  std::vector<Expr> inputs(const std::string& name, std::span<const Tensor> tensors) {
    std::vector<Expr> result;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const TensorType type{tensors[i].dtype(), tensors[i].shape()};
      result.push_back(builder.input(fmt::format("{}{}", name, i), type, Binding::per_lane));
      values.push_back(tensors[i]);
    }
    return result;
  }
  void outputs(const std::string& name, std::span<const Expr> results,
               std::span<const Expr> types) {
    for (size_t i = 0; i < results.size(); ++i) {
      builder.output(fmt::format("{}{}", name, i), or_zeros(results[i], types[i]));
    }
  }
};

// The scale of `value`: sum of |c g(y)|.
double value_scale(std::span<const double> c, std::span<const double> y, bool cubic) {
  double total = 0;
  for (size_t i = 0; i < c.size(); ++i) {
    total += std::abs(c[i] * (cubic ? y[i] + y[i] * y[i] / 2 + y[i] * y[i] * y[i] / 6 : y[i]));
  }
  return total;
}

void check_group(Context& context, const std::string& name) {
  const std::string path = "op/" + name;
  const bool cubic = wrapped(context, path);
  const FoundOp found = derivative_op(name);
  const Shape out = context.file.info(path + "/out").shape;

  context.report.add_group(path);
  const std::vector<Tensor> inputs = numbered(context, path + "/inputs");
  Draft draft;
  const auto x = draft.inputs("x", inputs);
  const auto v = draft.inputs("v", directions(context, path + "/v", inputs));
  const auto u = draft.inputs("u", directions(context, path + "/u", inputs));
  const Tensor weights = context.input(path + "/c", out);
  const Expr c = draft.inputs("c", {&weights, 1})[0];
  std::vector<Tensor>& constants = draft.values;
  const Expr y =
      reshape(found.op({context, path, found.kind, x, draft.builder, out, constants}), out);
  const Expr f = sum(c * (cubic ? y + y * y * 0.5 + y * y * y * (1.0 / 6) : y));
  const auto gradient = grad(draft.builder, f, x);
  const auto hvp = jvp(draft.builder, gradient, x, v);
  const auto third = jvp(draft.builder, hvp, x, u);
  draft.builder.output("out", y);
  draft.builder.output("value", f);
  draft.outputs("grad", gradient, x);
  draft.outputs("hvp", hvp, x);
  draft.outputs("d3", third, x);

  const auto program = std::make_shared<const Program>(draft.builder.finish());
  const std::vector<Tensor> results = context.runner.run(program, draft.values);
  const auto part = [&](size_t place) {
    return joined(std::span(results).subspan(2 + place * x.size(), x.size()));
  };
  const auto expected_out = context.expected(path + "/out");
  const auto expected_value = context.expected(path + "/value", Shape{});
  Report& report = context.report;
  report.relative(name + "/out", results[0].to_doubles(), expected_out,
                  context.tolerance(1e-6, 1e-12));
  report.scaled(name + "/value", results[1].to_doubles(), expected_value,
                value_scale(context.expected(path + "/c"), expected_out, cubic),
                context.tolerance(1e-6, 1e-12));
  report.relative(name + "/grad", part(0), stored(context, path + "/grad", inputs),
                  context.tolerance(2e-6, 1e-12));
  report.relative(name + "/hvp", part(1), stored(context, path + "/hvp", inputs),
                  context.tolerance(2e-5, 1e-12));
  report.relative(name + "/d3", part(2), stored(context, path + "/d3", inputs),
                  context.tolerance(1e-4, 1e-11));
}

}  // namespace

bool is_derivatives(const StoredFile& file) {
  if (!file.exists("op") || !file.is_group("op")) return false;
  const auto groups = file.list("op");
  return !groups.empty() && file.exists(fmt::format("op/{}/inputs", groups.front()));
}

void check_derivatives(Context& context) {
  for (const std::string& name : context.file.list("op")) {
    try {
      check_group(context, name);
    } catch (const BadInput& error) {
      throw BadInput(
          fmt::format("{}: op/{}: {}", context.file.path().string(), name, error.what()));
    }
  }
}

}  // namespace outerloop::reference
