// Layout maml_sine: every inner-loop learner on regression tasks with an MLP. Groups
// <activation>/<mode>/K<steps>; what each mode stores is read off the file.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "outerloop/base/error.h"
#include "reference/fields.h"
#include "reference/imaml_sine.h"
#include "reference/layouts.h"
#include "reference/sine.h"

namespace outerloop::reference {

namespace {

struct Mode {
  std::string_view name;
  std::string_view algorithm;
  config::InnerOptimizer optimizer = config::InnerOptimizer::sgd;
  bool learned_weight_decay = false;
};

constexpr Mode kModes[] = {
    {"exact", "maml"},
    {"first_order", "fomaml"},
    {"anil", "anil"},
    {"boil", "boil"},
    {"meta_sgd", "meta_sgd"},
    {"meta_sgd_varied", "meta_sgd"},
    {"lslr", "mamlpp"},
    {"reptile", "reptile"},
    {"momentum", "maml", config::InnerOptimizer::momentum},
    {"adam", "maml", config::InnerOptimizer::adam},
    {"weight_decay", "maml", config::InnerOptimizer::sgd, true},
};

// One group of the file being recomputed.
class SineGroup {
 public:
  SineGroup(Context& context, const SineFile& file, std::string group, const Mode& mode,
            int64_t steps)
      : context_(context), file_(file), group_(std::move(group)), mode_(mode) {
    config_ = file.config_of(context, group_);
    config_.learner.algorithm = mode.algorithm;
    config_.inner.steps = steps;
    config_.inner.optimizer = mode.optimizer;
    if (mode.learned_weight_decay) {
      config_.inner.weight_decay = context.scalar(weight_decay());
      config_.learner.learn_weight_decay = true;
    }
    if (mode.name == "lslr") {
      config_.learner.per_step_norm = false;
      config_.learner.multi_step_loss_epochs = 1;
    }
    learner_ = meta::make_learner(config_, file.tasks.shape);
    inputs_ = file.theta;
    add_settings();
  }

  void check() {
    check_losses(context_, file_, group_, learner_, inputs_);
    const meta::GradientPlan plan =
        meta::make_gradient_plan(learner_, file_.tasks.shape, context_.dtype);
    for (const NamedTensors& task : file_.tasks.inputs) {
      NamedTensors all = inputs_;
      all.insert(task.begin(), task.end());
      add_results(run_gradient(plan, all, context_.runner));
    }
    compare();
  }

 private:
  // The group's own, or that of all groups.
  std::string weight_decay() const {
    const std::string own = group_ + "/wd";
    return context_.file.exists(own) ? own : "hyper/weight_decay";
  }
  void add_settings();
  void add_results(const NamedTensors& results);
  void compare();
  TreeTolerance gradient_tolerance() const;
  // lslr: (tensor, step)
  Shape rate_shape() const {
    return {static_cast<int64_t>(file_.network.names.size()), config_.inner.steps};
  }

  Context& context_;
  const SineFile& file_;
  std::string group_;
  const Mode& mode_;
  config::Config config_;
  meta::Learner learner_;
  NamedTensors inputs_;
  Tree gradients_;
  Tree rate_gradients_;
  std::vector<double> step_rate_gradients_;  // lslr: (task, tensor, step)
  std::vector<double> decay_gradients_;
  double loss_ = 0;
};

Tensor filled(const Tensor& like, double value) {
  Tensor result(DType::f64, like.shape());
  std::ranges::fill(result.as<double>(), value);
  return result.cast(like.dtype());
}

void SineGroup::add_settings() {
  const StoredNetwork& network = file_.network;
  if (mode_.algorithm == "meta_sgd") {
    const bool varied = context_.file.exists(group_ + "/lr");
    for (const auto& [stored, own] : network.names) {
      Tensor& rates = inputs_["theta/inner/rate/" + own];
      const Tensor& like = file_.theta.at("theta/" + own);
      rates = varied ? context_.input(group_ + "/lr/" + stored, like.shape())
                     : filled(like, context_.scalar(group_ + "/lr_init"));
    }
  }
  if (mode_.name == "lslr") {
    const Tensor rates = context_.input(group_ + "/lr", rate_shape());
    int64_t place = 0;
    for (const auto& [stored, own] : network.names) {
      inputs_["theta/inner/rate/" + own] = part_of(rates, place++);
    }
    inputs_["hyper/multi_step_weights"] =
        context_.input(group_ + "/msl_weight", {config_.inner.steps});
  }
  if (mode_.learned_weight_decay) {
    inputs_["theta/inner/weight_decay"] = context_.input(weight_decay());
  }
}

void SineGroup::add_results(const NamedTensors& results) {
  append(gradients_, file_.network, results, "grad/", file_.theta);
  loss_ += results.at("loss").to_doubles()[0] / static_cast<double>(file_.tasks.count);
  if (mode_.algorithm == "meta_sgd") {
    append(rate_gradients_, file_.network, results, "grad/inner/rate/", file_.theta);
  }
  if (mode_.name == "lslr") {
    for (const auto& [stored, own] : file_.network.names) {
      const auto values = results.at("grad/inner/rate/" + own).to_doubles();
      step_rate_gradients_.insert(step_rate_gradients_.end(), values.begin(), values.end());
    }
  }
  if (mode_.learned_weight_decay) {
    decay_gradients_.push_back(results.at("grad/inner/weight_decay").to_doubles()[0]);
  }
}

TreeTolerance SineGroup::gradient_tolerance() const {
  if (mode_.name == "reptile") {
    return {context_.tolerance(1e-4, 1e-12), context_.tolerance(1e-3, 1e-11), "", 0};
  }
  if (mode_.name == "adam") {
    return {context_.tolerance(5e-5, 1e-11), context_.tolerance(5e-5, 1e-11), "", 0};
  }
  return {context_.tolerance(5e-6, 1e-11), context_.tolerance(1e-5, 1e-11), "", 0};
}

void SineGroup::compare() {
  const int64_t tasks = file_.tasks.count;
  const TreeTolerance tolerance = gradient_tolerance();
  context_.report.add_group(group_);
  const auto check_gradients = [&](const std::string& name, const Tree& gradients) {
    const std::string path = group_ + "/" + name;
    check_tree(context_, file_.network, path + "_task", gradients, tasks, tolerance);
    check_mean(context_, file_.network, path, gradients, tasks, tolerance);
  };
  if (mode_.name == "reptile") {
    check_gradients("update", gradients_);
    return;
  }
  check_array(context_, group_ + "/outer_loss", Shape{}, {loss_}, context_.tolerance(2e-6, 1e-12));
  check_gradients("grad", gradients_);
  const auto check_setting = [&](const std::string& name, const Shape& shape,
                                 const std::vector<double>& values) {
    if (values.empty()) return;
    const std::string path = group_ + "/" + name;
    check_array(context_, path + "_task", over_tasks(tasks, shape), values, tolerance.tensor);
    check_mean_array(context_, path, shape, values, tasks, tolerance.tensor);
  };
  check_setting("grad_lr", rate_shape(), step_rate_gradients_);
  check_setting("grad_wd", Shape{}, decay_gradients_);
  if (!rate_gradients_.empty()) check_gradients("grad_lr", rate_gradients_);
}

const Mode& mode_called(const std::string& name, const std::string& group) {
  for (const Mode& mode : kModes) {
    if (mode.name == name) return mode;
  }
  throw BadInput(fmt::format("{}: unknown mode of maml_sine", group));
}

// 3 of "K3".
int64_t steps_of(const std::string& name, const std::string& group) {
  int64_t steps = 0;
  const char* end = name.data() + name.size();
  const auto result = std::from_chars(name.data() + 1, end, steps);
  if (name[0] != 'K' || result.ptr != end || steps < 1) {
    throw BadInput(fmt::format("{}/{}: expected K<steps>", group, name));
  }
  return steps;
}

}  // namespace

bool is_maml_sine(const StoredFile& file) {
  return file.exists("theta/W1") && file.exists("data/xs");
}

void check_maml_sine(Context& context) {
  const SineFile file(context, "theta", "data");
  for (const std::string& activation : file.activations(context)) {
    for (const std::string& name : context.file.list(activation)) {
      const std::string group = activation + "/" + name;
      if (name == "imaml_converged") {
        check_imaml_converged(context, file, group);
        continue;
      }
      for (const std::string& k : context.file.list(group)) {
        const int64_t steps = steps_of(k, group);
        if (name == "imaml") {
          check_imaml(context, file, group + "/" + k, steps);
        } else {
          SineGroup(context, file, group + "/" + k, mode_called(name, group), steps).check();
        }
      }
    }
  }
}

}  // namespace outerloop::reference
