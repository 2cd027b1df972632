// Layout metric: prototypical networks and ridge regression on embeddings. Groups mlp and
// conv4_<variant>_<joint|separate>; a group with a head/ is ridge regression.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "meta/embedding.h"
#include "meta/heads.h"
#include "meta/segment.h"
#include "outerloop/ops/ops.h"
#include "reference/fields.h"
#include "reference/layouts.h"

namespace outerloop::reference {

namespace {

constexpr const char* kHead[] = {"lambda", "scale", "bias"};

// One quantity of all tasks.
struct Stack {
  Shape shape;
  std::vector<double> values;

  void add(const Tensor& of_a_task, int64_t tasks) {
    shape = over_tasks(tasks, of_a_task.shape());
    const std::vector<double> more = of_a_task.to_doubles();
    values.insert(values.end(), more.begin(), more.end());
  }
};

// One group: a network, its tasks, and what the learner is called.
class MetricGroup {
 public:
  MetricGroup(Context& context, std::string group);
  void check();

 private:
  std::string path(const std::string& name) const { return group_ + "/" + name; }
  void collect(const NamedTensors& inputs);
  // query_embedding and prototypes or ridge_weight.
  std::shared_ptr<const Program> embedding_program() const;
  void compare();

  Context& context_;
  std::string group_;
  bool is_conv_;
  bool is_ridge_;
  StoredNetwork network_;
  StoredTasks tasks_;
  config::Config config_;
  NamedTensors theta_;

  Tree gradients_;
  std::map<std::string, Stack> arrays_;  // by name in the group
};

MetricGroup::MetricGroup(Context& context, std::string group)
    : context_(context),
      group_(std::move(group)),
      is_conv_(group_.starts_with("conv4_")),
      is_ridge_(context.file.exists(group_ + "/head")) {
  const std::string kind = is_conv_ ? "conv4" : "mlp";
  const std::string variant = group_.find("maxpool") != group_.npos ? "maxpool" : "stride2";
  const std::string theta = kind + "_theta";
  network_ = is_conv_ ? stored_conv4(context.file, theta, variant, context.scalar("hyper/bn_eps"))
                      : stored_mlp(context.file, theta, true);
  tasks_ =
      stored_tasks(context, kind + "_data", static_cast<int64_t>(context.scalar("hyper/ways")));
  config_.model = network_.model;
  config_.model.activation = config::Activation::relu;
  config_.learner.algorithm = is_ridge_ ? "r2d2" : "protonet";
  config_.learner.joint_batch = group_.ends_with("_joint");
  theta_ = theta_inputs(context, network_);
  if (!is_ridge_) return;
  for (const std::string name : kHead) {
    theta_["theta/head/" + name] = context.input(path("head/" + name));
  }
}

std::shared_ptr<const Program> MetricGroup::embedding_program() const {
  const nn::Model model = nn::make_model(config_.model, tasks_.shape.example, 0);
  const meta::Learner learner = meta::make_learner(config_, tasks_.shape);
  meta::Segment segment(learner, tasks_.shape, context_.dtype, {}, 0, 0);
  segment.enter_at_start();
  const auto embeddings = meta::embed(model, segment.theta(), segment.query(), config_.learner);
  const Expr labels = segment.task().support_y;
  const int64_t ways = tasks_.shape.outputs;
  segment.builder().output("query_embedding", embeddings.query);
  if (is_ridge_) {
    const Expr targets = one_hot(labels, ways, context_.dtype);
    segment.builder().output(
        "ridge_weight",
        meta::ridge_weights(embeddings.support, targets, segment.theta().at("head/lambda")));
  } else {
    segment.builder().output("prototypes", meta::prototypes_of(embeddings.support, labels, ways));
  }
  return segment.finish().program;
}

void MetricGroup::check() {
  const meta::Learner learner = meta::make_learner(config_, tasks_.shape);
  const auto plan = meta::make_gradient_plan(learner, tasks_.shape, context_.dtype);
  const auto evaluation = meta::make_evaluation_plan(learner, tasks_.shape, {}, context_.dtype);
  const auto embedding = embedding_program();
  const auto add = [&](const std::string& name, const Tensor& value) {
    arrays_[name].add(value, tasks_.count);
  };
  for (const NamedTensors& task : tasks_.inputs) {
    NamedTensors inputs = theta_;
    inputs.insert(task.begin(), task.end());
    const NamedTensors results = run_gradient(plan, inputs, context_.runner);
    append(gradients_, network_, results, "grad/", theta_);
    add("loss_task", results.at("loss"));
    add("accuracy_task", results.at("accuracy"));
    if (is_ridge_) {
      for (const std::string name : kHead)
        add("grad_head/" + name, results.at("grad/head/" + name));
    }
    const auto answers = run_evaluation(evaluation, inputs, context_.runner);
    add("logits", answers[0].at("prediction"));
    for (const auto& [name, value] : context_.runner.run(embedding, inputs)) add(name, value);
  }
  compare();
}

void MetricGroup::compare() {
  const double loss = context_.tolerance(5e-6, 1e-12);
  const double logits = context_.tolerance(is_ridge_ ? 2e-5 : 1e-5, 1e-11);
  const double gradient = context_.tolerance(is_conv_ ? 5e-5 : (is_ridge_ ? 1e-5 : 5e-6), 1e-11);
  const auto mean_of = [&](const std::string& name) {
    return mean_over_tasks({{"", arrays_.at(name).values}}, tasks_.count).at("");
  };
  const auto check_stack = [&](const std::string& name, double tolerance) {
    const Stack& got = arrays_.at(name);
    check_array(context_, path(name), got.shape, got.values, tolerance);
  };
  context_.report.add_group(group_);
  check_stack("loss_task", loss);
  check_array(context_, path("loss"), Shape{}, mean_of("loss_task"), loss);
  if (context_.file.exists(path("accuracy_task"))) {
    const Stack& got = arrays_.at("accuracy_task");
    context_.report.absolute(path("accuracy_task"), got.values,
                             context_.expected(path("accuracy_task"), got.shape),
                             context_.tolerance(1e-6, 1e-12));
  }
  for (const std::string name : {"logits", "query_embedding", "prototypes", "ridge_weight"}) {
    if (arrays_.contains(name)) check_stack(name, logits);
  }
  const TreeTolerance tree{gradient, context_.tolerance(1e-4, 1e-10), "conv_b", 0};
  check_tree(context_, network_, path("grad_task"), gradients_, tasks_.count, tree);
  check_mean(context_, network_, path("grad"), gradients_, tasks_.count, tree);
  if (!is_ridge_) return;
  for (const std::string name : kHead) {
    // A shift of all logits changes nothing: the gradient of the bias is a rounding error. The
    // others' tasks may cancel in the mean, so errors count in units of the tasks' gradients.
    const Stack& tasks = arrays_.at("grad_head/" + name);
    const double scale =
        norm_of(tasks.values) / std::sqrt(static_cast<double>(tasks.values.size()));
    const auto compare_one = [&](const std::string& stored, const Shape& shape,
                                 const std::vector<double>& got) {
      if (!context_.file.exists(stored)) return;
      const std::vector<double> expected = context_.expected(stored, shape);
      if (name == "bias") {
        context_.report.absolute(stored, got, expected, context_.tolerance(1e-5, 1e-12));
      } else {
        const double size = std::max(norm_of(expected), scale);
        context_.report.scaled(stored, got, expected, size, context_.tolerance(5e-5, 1e-11));
      }
    };
    compare_one(path("grad_head_task/" + name), tasks.shape, tasks.values);
    compare_one(path("grad_head/" + name), Shape{}, mean_of("grad_head/" + name));
  }
}

}  // namespace

bool is_metric(const StoredFile& file) {
  return file.exists("mlp_theta/W1") || file.exists("conv4_theta/conv_w1");
}

void check_metric(Context& context) {
  for (const std::string& group : context.file.list("/")) {
    const bool holds_inputs = group == "conv4_theta" || group == "conv4_data";
    const bool holds_results = group == "mlp" || (group.starts_with("conv4_") && !holds_inputs);
    if (holds_results) MetricGroup(context, group).check();
  }
}

}  // namespace outerloop::reference
