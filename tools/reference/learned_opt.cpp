// Layout learned_opt: a learned optimiser on the regression tasks of maml_sine.

#include "outerloop/meta/learned_optimizer.h"
#include "reference/layouts.h"
#include "reference/sine.h"

namespace outerloop::reference {

namespace {

// The update rule's parameters: the file's names, the learner's.
const std::vector<std::pair<std::string, std::string>> kRuleNames = {
    {"W1", "optimizer/dense1/weight"},
    {"b1", "optimizer/dense1/bias"},
    {"W2", "optimizer/head/weight"},
    {"b2", "optimizer/head/bias"},
};

void check_activation(Context& context, const SineFile& file, const StoredNetwork& rule,
                      const NamedTensors& rule_theta, const std::string& activation) {
  config::Config config = file.config_of(context, activation);
  config.inner.steps = static_cast<int64_t>(context.scalar("hyper/steps"));
  const meta::LearnedOptimizer options{
      .hidden = context.file.info("opt/W1").shape[1],
      .decays = context.expected("hyper/momenta"),
      .step_scale = context.scalar("hyper/step_mult"),
      .magnitude_scale = context.scalar("hyper/exp_mult"),
      .epsilon = context.scalar("hyper/rms_eps"),
  };
  const meta::TaskShape& shape = file.tasks.shape;
  const auto learner = meta::make_learned_optimizer_learner(config, shape, options);
  NamedTensors theta = file.theta;
  theta.insert(rule_theta.begin(), rule_theta.end());
  check_losses(context, file, activation, learner, theta);

  const auto plan = meta::make_gradient_plan(learner, shape, context.dtype);
  Tree start_gradients;
  Tree rule_gradients;
  double loss = 0;
  const int64_t tasks = file.tasks.count;
  for (const NamedTensors& task : file.tasks.inputs) {
    NamedTensors inputs = theta;
    inputs.insert(task.begin(), task.end());
    const NamedTensors results = run_gradient(plan, inputs, context.runner);
    append(start_gradients, file.network, results, "grad/", theta);
    append(rule_gradients, rule, results, "grad/", theta);
    loss += results.at("loss").to_doubles()[0] / static_cast<double>(tasks);
  }
  context.report.add_group(activation);
  check_array(context, activation + "/outer_loss", Shape{}, {loss}, context.tolerance(2e-6, 1e-12));
  const double rule_tolerance = context.tolerance(5e-6, 1e-11);
  const TreeTolerance for_rule{rule_tolerance, context.tolerance(1e-4, 1e-11), "", 0};
  check_tree(context, rule, activation + "/grad_opt_task", rule_gradients, tasks, for_rule);
  check_mean(context, rule, activation + "/grad_opt", rule_gradients, tasks, for_rule);
  const double tolerance = context.tolerance(1e-5, 1e-11);
  check_mean(context, file.network, activation + "/grad_phi0", start_gradients, tasks,
             {tolerance, context.tolerance(1e-4, 1e-11), "", 0});
}

}  // namespace

bool is_learned_opt(const StoredFile& file) {
  return file.exists("phi0/W1") && file.exists("opt/W1");
}

void check_learned_opt(Context& context) {
  const SineFile file(context, "phi0", "data");
  const StoredNetwork rule{.model = {}, .group = "opt", .names = kRuleNames};
  const NamedTensors rule_theta = theta_inputs(context, rule);
  for (const std::string& activation : SineFile::activations(context)) {
    check_activation(context, file, rule, rule_theta, activation);
  }
}

}  // namespace outerloop::reference
