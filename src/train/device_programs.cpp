#include "outerloop/train/device_programs.h"

#include <limits>
#include <map>
#include <vector>

#include "outerloop/ops/ops.h"
#include "outerloop/optim/outer.h"

namespace outerloop::train {
namespace {

Expr is_finite(Expr x) {
  return less(abs(x), full_like(x, std::numeric_limits<double>::infinity()));
}

// Both in two steps, of which the first has many threads: of a vector, and of rows side by side.
Expr all_finite(Expr x) {
  const Shape table{x.shape()[0] / optim::kThetaAlignment, optim::kThetaAlignment};
  return 1.0 - reduce_max(reduce_max(reshape(1.0 - is_finite(x), table), {1}));
}
Expr rows_finite(Expr x) {
  const int64_t rows = x.shape()[0], parts = x.shape()[1] / optim::kThetaAlignment;
  const Expr table = reshape(x, Shape{rows * parts, optim::kThetaAlignment});
  const Expr bad = reduce_max(1.0 - is_finite(table), {1});
  return 1.0 - reduce_max(reshape(bad, Shape{rows, parts}), {1});
}

}  // namespace

Program slot_counts_program(int64_t n, int64_t elements) {
  Builder builder;
  const Expr gradients =
      builder.input("gradients", {DType::f32, Shape{n, elements}}, Binding::per_lane);
  const Expr losses = builder.input("losses", {DType::f32, Shape{n}}, Binding::per_lane);
  const Expr counts = is_finite(losses) * rows_finite(gradients);
  builder.output("counts", counts);
  builder.output("count", sum(counts));
  return builder.finish();
}

Program guarded_update_program(const config::Outer& config, int64_t elements) {
  const optim::OuterPlan plan = optim::make_outer_plan(config, elements);
  const Program& update = *plan.update;
  Builder builder;
  const auto input = [&](const std::string& name, const TensorType& type) {
    return builder.input(name, type, Binding::per_lane);
  };
  const Expr sum = input("sum", {DType::f32, Shape{elements}});
  const Expr count = input("count", {DType::f32, {}});
  const Expr mean = sum * (1.0 / count);
  std::map<std::string, Expr> inputs{{"gradient", mean}};
  std::vector<Expr> arguments;
  for (const ProgramInput& in : update.inputs) {
    if (in.name != "gradient") inputs[in.name] = input(in.name, update.type(in.value));
    arguments.push_back(inputs.at(in.name));
  }
  const std::vector<Expr> results = builder.inline_program(update, arguments);
  // Clipping would make a finite step of an infinite gradient.
  Expr made = all_finite(mean);
  for (const Expr& result : results) made = made * all_finite(result);
  for (size_t o = 0; o < results.size(); ++o) {
    const std::string& name = update.outputs[o].name;
    builder.output(name, select(made, results[o], inputs.at(name)));
  }
  builder.output("made", made);
  return builder.finish();
}

}  // namespace outerloop::train
