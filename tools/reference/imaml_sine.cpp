#include "reference/imaml_sine.h"

#include <algorithm>
#include <cmath>

#include "outerloop/autodiff/autodiff.h"
#include "outerloop/ops/ops.h"
#include "reference/lanczos.h"

namespace outerloop::reference {

namespace {

// The solver stops at the tolerance; this many iterations are enough to reach it.
constexpr int64_t kIterations = 60;
constexpr int64_t kMostDescents = 20000;

config::Config imaml_config(const Context& context, const SineFile& file, const std::string& group,
                            int64_t steps) {
  config::Config config = file.config_of(context, group);
  config.learner.algorithm = "imaml";
  config.learner.implicit.lambda = context.scalar("hyper/imaml_lambda");
  config.learner.implicit.iterations = kIterations;
  config.learner.implicit.tolerance = context.tolerance(1e-7, 1e-13);
  config.inner.steps = steps;
  config.inner.segment = 1;
  return config;
}

// v -> H v, H the Hessian of the support loss at phi: inputs phi/…, v/…, outputs product/….
std::shared_ptr<const Program> hessian_program(const SineFile& file, const config::Model& model,
                                               DType dtype) {
  const meta::TaskShape& shape = file.tasks.shape;
  const nn::Model network = nn::make_model(model, shape.example, shape.outputs);
  Builder builder;
  nn::Values phi;
  std::vector<Expr> directions;
  for (const nn::ParameterSpec& spec : network.parameters) {
    const TensorType type{dtype, spec.shape};
    phi.set(spec.name, builder.input("state/" + spec.name, type, Binding::per_lane));
    directions.push_back(builder.input("v/" + spec.name, type, Binding::per_lane));
  }
  Shape rows{shape.support_rows};
  for (const int64_t extent : shape.example) rows.append(extent);
  const Expr x = builder.input("support_x", {dtype, rows}, Binding::per_lane);
  const Expr y =
      builder.input("support_y", {dtype, {shape.support_rows, shape.outputs}}, Binding::per_lane);
  const Expr loss = meta::loss_of(network.forward(phi, x, nullptr), y, false);
  const std::vector<Expr> gradients = grad(builder, loss, phi.exprs());
  const std::vector<Expr> products = jvp(builder, gradients, phi.exprs(), directions);
  for (size_t i = 0; i < products.size(); ++i) {
    builder.output("product/" + network.parameters[i].name, or_zeros(products[i], directions[i]));
  }
  return std::make_shared<const Program>(builder.finish());
}

// Extreme eigenvalues of I + H / lambda at the state.
class Curvature {
 public:
  Curvature(Context& context, const SineFile& file, const config::Config& config)
      : context_(context),
        file_(file),
        lambda_(config.learner.implicit.lambda),
        program_(hessian_program(file, config.model, context.dtype)) {}

  std::pair<double, double> at(const NamedTensors& state, const NamedTensors& task) {
    NamedTensors inputs = state;
    inputs.insert(task.begin(), task.end());
    int64_t elements = 0;
    for (const auto& [name, value] : file_.theta) elements += value.elements();
    return extreme_eigenvalues(elements,
                               [&](const std::vector<double>& v) { return apply(v, inputs); });
  }

 private:
  std::vector<double> apply(const std::vector<double>& v, NamedTensors& inputs) {
    size_t place = 0;
    for (const auto& [stored, own] : file_.network.names) {
      const Tensor& like = file_.theta.at("theta/" + own);
      const std::span<const double> part(v.data() + place, static_cast<size_t>(like.elements()));
      inputs["v/" + own] = Tensor::from(like.shape(), part).cast(context_.dtype);
      place += part.size();
    }
    const NamedTensors results = context_.runner.run(program_, inputs);
    std::vector<double> product = v;
    place = 0;
    for (const auto& [stored, own] : file_.network.names) {
      for (const double value : results.at("product/" + own).to_doubles()) {
        product[place++] += value / lambda_;
      }
    }
    return product;
  }

  Context& context_;
  const SineFile& file_;
  double lambda_;
  std::shared_ptr<const Program> program_;
};

// What the groups store, collected over tasks.
struct Collected {
  Tree gradients;
  Tree query_gradients;
  Tree phi;
  std::vector<double> eigenvalues;
  std::vector<double> losses;
};

// `conditioning`: how much more than a forward pass the state's own rounding moves the results.
void compare(Context& context, const SineFile& file, const std::string& group, const Collected& got,
             double conditioning = 1) {
  const double tolerance = context.tolerance(1e-4, 1e-10);
  const double direct = context.tolerance(5e-6 * conditioning, 1e-10);
  const int64_t tasks = file.tasks.count;
  const StoredNetwork& network = file.network;
  context.report.add_group(group);
  check_tree(context, network, group + "/grad_task", got.gradients, tasks,
             {tolerance, tolerance, "", 0});
  check_mean(context, network, group + "/grad", got.gradients, tasks,
             {tolerance, tolerance, "", 0});
  check_tree(context, network, group + "/grad_query_at_phi", got.query_gradients, tasks,
             {direct, context.tolerance(1e-5 * conditioning, 1e-10), "", 0});
  check_array(context, group + "/eig_min_max", {tasks, 2}, got.eigenvalues, direct);
  double mean = 0;
  for (const double loss : got.losses) mean += loss / static_cast<double>(got.losses.size());
  check_array(context, group + "/outer_loss", Shape{}, {mean},
              context.tolerance(2e-6 * conditioning, 1e-12));
}

NamedTensors states_of(const NamedTensors& results) {
  NamedTensors states;
  for (const auto& [name, value] : results) {
    if (name.starts_with("state/")) states[name] = value;
  }
  return states;
}

// The minimiser of L_S + lambda / 2 |phi - theta|^2, by gradient descent until it stands still.
NamedTensors minimiser(Context& context, const meta::EvaluationPlan& plan,
                       const NamedTensors& inputs) {
  NamedTensors state = states_of(context.runner.run(plan.steps[0], inputs));
  for (int64_t i = 0; i < kMostDescents; ++i) {
    NamedTensors given = inputs;
    given.insert(state.begin(), state.end());
    NamedTensors next = states_of(context.runner.run(plan.steps[1], given));
    double moved = 0;
    double size = 0;
    for (const auto& [name, value] : next) {
      const std::vector<double> a = value.to_doubles();
      const std::vector<double> b = state.at(name).to_doubles();
      for (size_t e = 0; e < a.size(); ++e) {
        moved += (a[e] - b[e]) * (a[e] - b[e]);
        size += a[e] * a[e];
      }
    }
    state = std::move(next);
    if (std::sqrt(moved) <= context.tolerance(1e-9, 1e-17) * std::sqrt(size)) break;
  }
  return state;
}

// A rate at which descent from theta converges fast: half of 1 / (largest curvature).
double descent_rate(Context& context, const SineFile& file, const config::Config& config) {
  Curvature curvature(context, file, config);
  NamedTensors state;
  for (const auto& [stored, own] : file.network.names) {
    state["state/" + own] = file.theta.at("theta/" + own);
  }
  double largest = 0;
  for (const NamedTensors& task : file.tasks.inputs) {
    largest = std::max(largest, curvature.at(state, task).second);
  }
  return 0.5 / (config.learner.implicit.lambda * largest);
}

}  // namespace

void check_imaml(Context& context, const SineFile& file, const std::string& group, int64_t steps) {
  const config::Config config = imaml_config(context, file, group, steps);
  const meta::Learner learner = meta::make_learner(config, file.tasks.shape);
  check_losses(context, file, group, learner, file.theta);

  meta::Learner plain = learner;
  plain.rule = {.kind = meta::RuleKind::first_order, .implicit = {}};
  const meta::TaskShape& shape = file.tasks.shape;
  const auto plan = meta::make_gradient_plan(learner, shape, context.dtype);
  const auto plain_plan = meta::make_gradient_plan(plain, shape, context.dtype);
  const auto evaluation = meta::make_evaluation_plan(learner, shape, steps, context.dtype);
  Curvature curvature(context, file, config);
  Collected got;
  for (const NamedTensors& task : file.tasks.inputs) {
    NamedTensors inputs = file.theta;
    inputs.insert(task.begin(), task.end());
    const NamedTensors results = run_gradient(plan, inputs, context.runner);
    append(got.gradients, file.network, results, "grad/", file.theta);
    got.losses.push_back(results.at("loss").to_doubles()[0]);
    append(got.query_gradients, file.network, run_gradient(plain_plan, inputs, context.runner),
           "grad/", file.theta);
    const auto calls = run_evaluation(evaluation, inputs, context.runner);
    const auto [low, high] = curvature.at(states_of(calls.back()), task);
    got.eigenvalues.insert(got.eigenvalues.end(), {low, high});
  }
  compare(context, file, group, got);
}

void check_imaml_converged(Context& context, const SineFile& file, const std::string& group) {
  // The gradient calls take one step more from the minimiser, which moves nothing.
  config::Config config = imaml_config(context, file, group, 2);
  config.inner.rate = descent_rate(context, file, config);
  const meta::Learner learner = meta::make_learner(config, file.tasks.shape);
  meta::Learner plain = learner;
  plain.rule = {.kind = meta::RuleKind::first_order, .implicit = {}};
  const meta::TaskShape& shape = file.tasks.shape;
  const auto descent = meta::make_evaluation_plan(learner, shape, 2, context.dtype);
  const meta::Call last = meta::make_gradient_plan(learner, shape, context.dtype).last;
  const meta::Call plain_last = meta::make_gradient_plan(plain, shape, context.dtype).last;
  Curvature curvature(context, file, config);
  Collected got;
  for (const NamedTensors& task : file.tasks.inputs) {
    NamedTensors inputs = file.theta;
    inputs.insert(task.begin(), task.end());
    const NamedTensors state = minimiser(context, descent, inputs);
    inputs.insert(state.begin(), state.end());
    append(got.phi, file.network, state, "state/", file.theta);
    const NamedTensors results = context.runner.run(last, inputs);
    append(got.gradients, file.network, results, "grad/", file.theta);
    got.losses.push_back(results.at("loss").to_doubles()[0]);
    append(got.query_gradients, file.network, context.runner.run(plain_last, inputs), "grad/",
           file.theta);
    const auto [low, high] = curvature.at(state, task);
    got.eigenvalues.insert(got.eigenvalues.end(), {low, high});
  }
  // Descent in float32 stands still a few roundings away from the minimiser.
  compare(context, file, group, got, 4);
  const double tolerance = context.tolerance(5e-6, 1e-10);
  const int64_t tasks = file.tasks.count;
  check_array(context, group + "/query_loss", {tasks}, got.losses, tolerance);
  check_tree(context, file.network, group + "/phi", got.phi, tasks, {tolerance, tolerance, "", 0});
}

}  // namespace outerloop::reference
