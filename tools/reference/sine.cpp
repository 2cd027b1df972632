#include "reference/sine.h"

namespace outerloop::reference {

namespace {

constexpr std::string_view kActivations[] = {"relu", "tanh"};

void append_scalar(std::vector<double>& all, const NamedTensors& results, std::string_view name) {
  all.push_back(results.find(name)->second.to_doubles()[0]);
}

}  // namespace

SineFile::SineFile(const Context& context, const std::string& theta_group,
                   const std::string& data_group)
    : network(stored_mlp(context.file, theta_group, false)),
      theta(theta_inputs(context, network)),
      tasks(stored_tasks(context, data_group, 0)) {}

std::vector<std::string> SineFile::activations(const Context& context) {
  std::vector<std::string> present;
  for (const auto name : kActivations) {
    if (context.file.exists(name)) present.emplace_back(name);
  }
  return present;
}

config::Config SineFile::config_of(const Context& context, const std::string& group) const {
  config::Config config;
  config.model = network.model;
  config.model.activation =
      group.starts_with("tanh") ? config::Activation::tanh : config::Activation::relu;
  const auto read = [&](const char* name, double& value) {
    if (context.file.exists(name)) value = context.scalar(name);
  };
  read("hyper/alpha", config.inner.rate);
  read("hyper/momentum", config.inner.momentum);
  read("hyper/adam_beta1", config.inner.beta1);
  read("hyper/adam_beta2", config.inner.beta2);
  read("hyper/adam_eps", config.inner.epsilon);
  return config;
}

void check_losses(Context& context, const SineFile& file, const std::string& group,
                  const meta::Learner& learner, const NamedTensors& theta) {
  std::vector<double> query;
  std::vector<double> support;
  Tree phi;
  const auto follow = [&](const StoredTasks& tasks, std::vector<double>& losses, Tree* adapted) {
    const meta::EvaluationPlan plan =
        meta::make_evaluation_plan(learner, tasks.shape, learner.steps, context.dtype);
    for (const NamedTensors& task : tasks.inputs) {
      NamedTensors inputs = theta;
      inputs.insert(task.begin(), task.end());
      const auto calls = run_evaluation(plan, inputs, context.runner);
      for (const NamedTensors& call : calls) append_scalar(losses, call, "loss");
      if (adapted != nullptr) append(*adapted, file.network, calls.back(), "state/", file.theta);
    }
  };
  follow(file.tasks, query, &phi);
  follow(with_support_as_query(file.tasks), support, nullptr);
  const double tolerance = context.tolerance(2e-6, 1e-12);
  const int64_t tasks = file.tasks.count;
  const Shape curves{tasks, learner.steps + 1};
  check_array(context, group + "/query_loss", curves, query, tolerance);
  check_array(context, group + "/support_loss", curves, support, tolerance);
  check_tree(context, file.network, group + "/phi", phi, tasks, {tolerance, tolerance, "", 0});
}

}  // namespace outerloop::reference
