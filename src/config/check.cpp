// Rules that more than one key takes part in.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "outerloop/config/limits.h"
#include "outerloop/config/read.h"

namespace outerloop::config {
namespace {

// True for learners that adapt in a closed form, without inner steps.
bool has_no_steps(const Config& c) {
  return c.learner.algorithm == "protonet" || c.learner.algorithm == "r2d2";
}

// Of the absolute values, in the type that the families compute in.
float largest(const Interval& range) {
  return std::max(std::abs(static_cast<float>(range.low)), std::abs(static_cast<float>(range.high)));
}

class Checker {
 public:
  explicit Checker(const Config& config) : c(config), test(test_protocol(config)) {}

  std::vector<Complaint> check() {
    is_classification(c) ? check_images() : check_regression();
    check_inner_loop();
    check_learner();
    check_outer_loop();
    check_runtime();
    return std::move(complaints_);
  }

 private:
  template <class... Args>
  void refuse_if(bool wrong, std::string_view key, fmt::format_string<Args...> text,
                 Args&&... args) {
    if (!wrong) return;
    complaints_.push_back({std::string(key), fmt::format(text, std::forward<Args>(args)...)});
  }

  void check_images() {
    refuse_if(c.tasks.dataset.empty(), "tasks.dataset",
              "tasks.family is images: name a data set file (`outerloop data import` makes one)");
    refuse_if(c.tasks.ways < 2, "tasks.ways", "tasks.family is images: expected 2 or more, got {}",
              c.tasks.ways);
    refuse_if(c.test.ways == 1, "test.ways", "expected 2 or more, or 0 for tasks.ways, got 1");
  }

  void check_regression() {
    const std::string_view family = word(c.tasks.family);
    refuse_if(c.tasks.ways != 1, "tasks.ways", "tasks.family is {}, which has no classes: set 1",
              family);
    refuse_if(c.test.ways > 1, "test.ways", "tasks.family is {}, which has no classes: set 0",
              family);
    refuse_if(c.model.kind != ModelKind::mlp, "model.kind",
              "{} needs images; tasks.family is {}: set mlp", word(c.model.kind), family);
    refuse_if(c.tasks.rotation != Rotation::none, "tasks.rotation", "only images can be rotated");
    refuse_if(c.tasks.rotation == Rotation::none && test.rotation != Rotation::none,
              "test.rotation", "only images can be rotated");
    refuse_if(c.tasks.within != Within::none, "tasks.within", "only images have groups");
    refuse_if(c.tasks.within == Within::none && test.within != Within::none, "test.within",
              "only images have groups");
    refuse_if(has_no_steps(c), "learner.algorithm", "{} classifies; tasks.family is {}",
              c.learner.algorithm, family);
    c.tasks.family == TaskFamily::sinusoid ? check_sinusoid() : check_harmonic();
  }

  void check_sinusoid() {
    const Sinusoid& task = c.tasks.sinusoid;
    refuse_argument(largest(task.x) + largest(task.phase), "tasks.sinusoid.x",
                    "tasks.sinusoid.phase");
  }

  void check_harmonic() {
    const Harmonic& task = c.tasks.harmonic;
    refuse_argument(
        2 * largest(task.frequency) * (largest(task.centre) + kFurthestNormal) + largest(task.phase),
        "tasks.harmonic.frequency", "tasks.harmonic.centre and tasks.harmonic.phase");
  }

  void refuse_argument(float argument, std::string_view key, std::string_view others) {
    refuse_if(!(argument <= kMaxSineArgument), key,
              "with {} it gives sines of up to {}; the largest argument is {}", others, argument,
              kMaxSineArgument);
  }

  void check_inner_loop() {
    refuse_if(c.inner.segment > c.inner.steps, "inner.segment",
              "expected 0 (store all) to inner.steps = {}, got {}", c.inner.steps, c.inner.segment);
    const auto support = c.tasks.ways * c.tasks.shots;
    refuse_if(c.inner.batch > support, "inner.batch",
              "expected 0 (all) to ways x shots = {}, got {}", support, c.inner.batch);
    const auto test_support = test.ways * test.shots;
    refuse_if(c.test.batch > test_support, "test.batch",
              "expected 0 (inner.batch) to ways x shots in test = {}, got {}", test_support,
              c.test.batch);
    refuse_if(c.test.batch == 0 && c.inner.batch <= support && c.inner.batch > test_support,
              "test.batch",
              "inner.batch = {} is more than ways x shots in test = {}: set test.batch",
              c.inner.batch, test_support);
  }

  void check_learner() {
    const Learner& learner = c.learner;
    const std::string_view name = learner.algorithm;
    refuse_if(learner.truncation > c.inner.steps, "learner.truncation",
              "expected 0 (all steps) to inner.steps = {}, got {}", c.inner.steps,
              learner.truncation);
    const bool has_order =
        name != "fomaml" && name != "imaml" && name != "reptile" && !has_no_steps(c);
    refuse_if(!has_order && learner.order == Order::second, "learner.order",
              "{} is not a second-order learner: set auto", name);
    const bool learns_rule = name == "maml" || name == "anil" || name == "boil";
    refuse_if(learner.learn_rate && !learns_rule, "learner.learn_rate",
              "{} cannot learn it; maml, anil and boil can", name);
    refuse_if(learner.learn_weight_decay && !learns_rule, "learner.learn_weight_decay",
              "{} cannot learn it; maml, anil and boil can", name);
    const bool per_step = name == "mamlpp" && (learner.per_step_rate || learner.per_step_norm);
    refuse_if(per_step && test.steps > c.inner.steps, "test.steps",
              "expected inner.steps = {} at most, because mamlpp has parameters per step; got {}",
              c.inner.steps, test.steps);
    refuse_if(name != "mamlpp" && learner.multi_step_loss_epochs > 0,
              "learner.multi_step_loss_epochs", "only mamlpp has it; learner.algorithm is {}",
              name);
  }

  void check_outer_loop() {
    refuse_if(c.outer.schedule == Schedule::step && c.outer.schedule_every == 1,
              "outer.schedule_every",
              "outer.schedule is step: set the iterations between two cuts");
    refuse_if(c.outer.warmup > c.outer.iterations, "outer.warmup",
              "expected outer.iterations = {} at most, got {}", c.outer.iterations, c.outer.warmup);
    refuse_if(c.validation.patience > 0 && c.validation.every == 0, "validation.patience",
              "early stopping needs validations: set validation.every");
  }

  void check_runtime() {
    refuse_if(c.runtime.device == Device::cuda, "runtime.device",
              "this version computes on the CPU alone: set cpu or auto");
    refuse_if(c.runtime.numerics == Numerics::fast, "runtime.numerics",
              "this version has ordered numerics alone: set ordered");
  }

  const Config& c;
  Protocol test;
  std::vector<Complaint> complaints_;
};

template <class To, class From>
To as_training_or(From value, To training) {
  return value == From::as_training ? training : static_cast<To>(static_cast<int>(value) - 1);
}

}  // namespace

bool is_classification(const Config& config) {
  return config.tasks.family == TaskFamily::images;
}

Protocol training_protocol(const Config& config) {
  return {.ways = config.tasks.ways,
          .shots = config.tasks.shots,
          .queries = config.tasks.queries,
          .steps = has_no_steps(config) ? 0 : config.inner.steps,
          .batch = config.inner.batch,
          .rotation = config.tasks.rotation,
          .within = config.tasks.within};
}

Protocol test_protocol(const Config& config) {
  Protocol protocol = training_protocol(config);
  const Test& test = config.test;
  if (test.ways > 0) protocol.ways = test.ways;
  if (test.shots > 0) protocol.shots = test.shots;
  if (test.queries > 0) protocol.queries = test.queries;
  if (test.steps > 0 && protocol.steps > 0) protocol.steps = test.steps;
  if (test.batch > 0) protocol.batch = test.batch;
  protocol.rotation = as_training_or(test.rotation, protocol.rotation);
  protocol.within = as_training_or(test.within, protocol.within);
  return protocol;
}

std::vector<Complaint> cross_check(const Config& config) {
  return Checker(config).check();
}

}  // namespace outerloop::config
