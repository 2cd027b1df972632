// Rules that more than one key takes part in.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <iterator>

#include "config/idle.h"
#include "outerloop/config/algorithms.h"
#include "outerloop/config/limits.h"
#include "outerloop/config/read.h"

namespace outerloop::config {
namespace {

// Of the absolute values, in the type that the families compute in.
float largest(const Interval& range) {
  return std::max(std::abs(static_cast<float>(range.low)),
                  std::abs(static_cast<float>(range.high)));
}

// The key to change, then the others that take part.
using Keys = std::initializer_list<std::string_view>;

class Checker {
 public:
  explicit Checker(const Config& config)
      : c(config), algorithm(algorithm_of(config.learner.algorithm)), test(test_protocol(config)) {}

  std::vector<Complaint> check() {
    check_tasks();
    check_inner_loop();
    check_learner();
    check_outer_loop();
    check_runtime();
    return std::move(complaints_);
  }

 private:
  template <class... Args>
  void refuse_if(bool wrong, Keys keys, fmt::format_string<Args...> text, Args&&... args) {
    if (!wrong) return;
    complaints_.push_back({.key = std::string(*keys.begin()),
                           .text = fmt::format(text, std::forward<Args>(args)...),
                           .causes = {keys.begin() + 1, keys.end()}});
  }

  void check_tasks() {
    refuse_if(has_dataset(c) && c.tasks.dataset.empty(), {"tasks.dataset", "tasks.family"},
              "tasks.family is {}: name {}", word(c.tasks.family),
              c.tasks.family == TaskFamily::table
                  ? "a CSV or HDF5 file"
                  : "a data set file (`outerloop data import` makes one)");
    is_classification(c) ? check_classes() : check_no_classes();
    if (c.tasks.family != TaskFamily::images) check_no_images();
    if (c.tasks.family == TaskFamily::sinusoid) check_sinusoid();
    if (c.tasks.family == TaskFamily::harmonic) check_harmonic();
    if (c.tasks.family == TaskFamily::table) check_table();
  }

  void check_classes() {
    refuse_if(c.tasks.ways < 2, {"tasks.ways", "tasks.family", "tasks.table.kind"},
              "tasks have classes: expected 2 or more, got {}", c.tasks.ways);
    refuse_if(c.test.ways == 1, {"test.ways", "tasks.family", "tasks.table.kind"},
              "expected 2 or more, or 0 for tasks.ways, got 1");
    refuse_if(algorithm.has_head && c.test.ways > c.tasks.ways,
              {"test.ways", "tasks.ways", "learner.algorithm"},
              "expected tasks.ways = {} at most, as many as the last layer of {} has outputs, got "
              "{}; protonet and r2d2 have no such layer",
              c.tasks.ways, algorithm.name, c.test.ways);
  }

  void check_no_classes() {
    const std::string_view family = word(c.tasks.family);
    refuse_if(c.tasks.ways != 1, {"tasks.ways", "tasks.family", "tasks.table.kind"},
              "tasks of {} have no classes: set 1", family);
    refuse_if(c.test.ways > 1, {"test.ways", "tasks.family", "tasks.table.kind"},
              "tasks of {} have no classes: leave it out", family);
    refuse_if(algorithm.only_classes, {"learner.algorithm", "tasks.family", "tasks.table.kind"},
              "{} classifies; tasks of {} have no classes", c.learner.algorithm, family);
  }

  void check_table() {
    refuse_if(c.tasks.table.target.empty(), {"tasks.table.target", "tasks.family"},
              "tasks.family is table: name the column to predict");
    refuse_if(c.tasks.table.flag_missing && c.tasks.table.missing == MissingCells::refuse,
              {"tasks.table.flag_missing", "tasks.table.missing"},
              "needs tasks.table.missing = mean or median");
    refuse_repeats("tasks.table.features", c.tasks.table.features);
    refuse_repeats("tasks.table.left_out", c.tasks.table.left_out);
    refuse_repeats("tasks.table.categories", c.tasks.table.categories);
  }

  void refuse_repeats(std::string_view key, std::vector<std::string> names) {
    std::ranges::sort(names);
    const auto repeated = std::ranges::adjacent_find(names);
    if (repeated == names.end()) return;
    refuse_if(true, {key, "tasks.family"}, "'{}' is named twice; name it once", *repeated);
    complaints_.back().is_harmless = true;
  }

  void check_no_images() {
    const std::string_view family = word(c.tasks.family);
    refuse_if(c.model.kind != ModelKind::mlp, {"model.kind", "tasks.family"},
              "{} needs images; tasks.family is {}: set mlp", word(c.model.kind), family);
    refuse_if(c.tasks.rotation != Rotation::none, {"tasks.rotation", "tasks.family"},
              "only images can be rotated");
    refuse_if(c.tasks.rotation == Rotation::none && test.rotation != Rotation::none,
              {"test.rotation", "tasks.family"}, "only images can be rotated");
    refuse_if(c.tasks.within != Within::none, {"tasks.within", "tasks.family"},
              "only images have groups");
    refuse_if(c.tasks.within == Within::none && test.within != Within::none,
              {"test.within", "tasks.family"}, "only images have groups");
  }

  void check_sinusoid() {
    const Sinusoid& task = c.tasks.sinusoid;
    refuse_argument(largest(task.x) + largest(task.phase),
                    {"tasks.sinusoid.x", "tasks.sinusoid.phase", "tasks.family"},
                    "tasks.sinusoid.phase");
  }

  void check_harmonic() {
    const Harmonic& task = c.tasks.harmonic;
    refuse_argument(2 * largest(task.frequency) * (largest(task.centre) + kFurthestNormal) +
                        largest(task.phase),
                    {"tasks.harmonic.frequency", "tasks.harmonic.centre", "tasks.harmonic.phase",
                     "tasks.family"},
                    "tasks.harmonic.centre and tasks.harmonic.phase");
  }

  void refuse_argument(float argument, Keys keys, std::string_view others) {
    refuse_if(!(argument <= kMaxSineArgument), keys,
              "with {} it gives sines of up to {}; the largest argument is {}", others, argument,
              kMaxSineArgument);
  }

  void check_inner_loop() {
    refuse_if(c.inner.segment > c.inner.steps, {"inner.segment", "inner.steps"},
              "expected 0 (store all) to inner.steps = {}, got {}", c.inner.steps, c.inner.segment);
    const auto support = c.tasks.ways * c.tasks.shots;
    refuse_if(c.inner.batch > support, {"inner.batch", "tasks.ways", "tasks.shots"},
              "expected 0 (all) to ways x shots = {}, got {}", support, c.inner.batch);
    const auto test_support = test.ways * test.shots;
    refuse_if(c.test.batch > test_support,
              {"test.batch", "test.ways", "test.shots", "tasks.ways", "tasks.shots"},
              "expected 0 (inner.batch) to ways x shots in test = {}, got {}", test_support,
              c.test.batch);
    refuse_if(c.test.batch == 0 && c.inner.batch <= support && c.inner.batch > test_support,
              {"test.batch", "inner.batch", "test.ways", "test.shots", "tasks.ways", "tasks.shots"},
              "inner.batch = {} is more than ways x shots in test = {}: set test.batch",
              c.inner.batch, test_support);
  }

  void check_learner() {
    const Learner& learner = c.learner;
    refuse_if(learner.truncation > c.inner.steps, {"learner.truncation", "inner.steps"},
              "expected 0 (all steps) to inner.steps = {}, got {}", c.inner.steps,
              learner.truncation);
    const bool cuts = learner.order != Order::first && learner.truncation > 0 &&
                      learner.truncation < c.inner.steps;
    refuse_if(
        algorithm.is_per_step && learner.multi_step_loss_epochs > 0 && cuts,
        {"learner.truncation", "learner.multi_step_loss_epochs", "inner.steps", "learner.order",
         "learner.algorithm"},
        "derivatives through the last {} of {} steps leave out the losses after those before, "
        "which learner.multi_step_loss_epochs is for: set one of the two to 0",
        learner.truncation, c.inner.steps);
    refuse_if(algorithm.has_order && !algorithm.is_exact && learner.order == Order::second,
              {"learner.order", "learner.algorithm"}, "{} is not a second-order learner: set auto",
              algorithm.name);
    refuse_if(algorithm.is_per_step && learner.per_step_norm && c.inner.adapt_norm,
              {"inner.adapt_norm", "learner.per_step_norm"},
              "with learner.per_step_norm each step has its own scale and shift: set false");
    const bool per_step = learner.per_step_rate || learner.per_step_norm;
    refuse_if(algorithm.is_per_step && per_step && test.steps > c.inner.steps,
              {"test.steps", "inner.steps", "learner.algorithm"},
              "expected inner.steps = {} at most, because {} has parameters per step; got {}",
              c.inner.steps, algorithm.name, test.steps);
    refuse_if(algorithm.keeps_head && c.model.kind == ModelKind::mlp && c.model.hidden.empty(),
              {"model.hidden", "learner.algorithm", "model.kind"},
              "{} adapts all layers but the last, and [] has no other: name hidden layers, or set "
              "learner.algorithm=maml",
              algorithm.name);
  }

  void check_outer_loop() {
    refuse_if(c.outer.schedule == Schedule::step && c.outer.schedule_every == 1,
              {"outer.schedule_every", "outer.schedule"},
              "outer.schedule is step: set the iterations between two cuts");
    refuse_if(c.outer.warmup > c.outer.iterations, {"outer.warmup", "outer.iterations"},
              "expected outer.iterations = {} at most, got {}", c.outer.iterations, c.outer.warmup);
    const bool moves_towards =
        c.outer.optimizer == OuterOptimizer::sgd && c.outer.momentum == 0 && c.outer.rate <= 1;
    refuse_if(
        algorithm.carries_state && c.inner.optimizer == InnerOptimizer::adam && !moves_towards,
        {"outer.optimizer", "outer.momentum", "outer.rate", "inner.optimizer", "learner.algorithm"},
        "{} carries the variances of inner.optimizer = adam from task to task, and others would "
        "take them far below zero: expected sgd without momentum, outer.rate at most 1",
        algorithm.name);
    refuse_if(c.validation.patience > 0 && c.validation.every == 0,
              {"validation.patience", "validation.every"},
              "early stopping needs validations: set validation.every");
  }

  void check_runtime() {
    const bool fast = c.runtime.numerics == Numerics::fast;
    refuse_if(!fast && c.runtime.precision != Precision::float32,
              {"runtime.precision", "runtime.numerics"},
              "ordered numerics have float32 alone: set float32, or runtime.numerics=fast");
    refuse_if(
        fast && c.runtime.self_check > 0, {"runtime.self_check", "runtime.numerics"},
        "fast products depend on how many tasks a GPU has at once, so that no other rank gives "
        "their bits: set 0, or runtime.numerics=ordered");
  }

  const Config& c;
  Algorithm algorithm;
  Protocol test;
  std::vector<Complaint> complaints_;
};

template <class To, class From>
To as_training_or(From value, To training) {
  return value == From::as_training ? training : static_cast<To>(static_cast<int>(value) - 1);
}

}  // namespace

bool is_classification(const Config& config) {
  return config.tasks.family == TaskFamily::images ||
         (config.tasks.family == TaskFamily::table &&
          config.tasks.table.kind == TargetKind::classification);
}

bool has_dataset(const Config& config) {
  return config.tasks.family == TaskFamily::images || config.tasks.family == TaskFamily::table;
}

Protocol training_protocol(const Config& config) {
  const bool has_steps = algorithm_of(config.learner.algorithm).has_steps;
  return {.ways = config.tasks.ways,
          .shots = config.tasks.shots,
          .queries = config.tasks.queries,
          .steps = has_steps ? config.inner.steps : 0,
          .batch = has_steps ? config.inner.batch : 0,
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
  if (test.batch > 0 && protocol.steps > 0) protocol.batch = test.batch;
  protocol.rotation = as_training_or(test.rotation, protocol.rotation);
  protocol.within = as_training_or(test.within, protocol.within);
  return protocol;
}

std::vector<Complaint> cross_check(const Config& config) {
  std::vector<Complaint> complaints = Checker(config).check();
  std::ranges::move(idle_keys(config), std::back_inserter(complaints));
  return complaints;
}

}  // namespace outerloop::config
