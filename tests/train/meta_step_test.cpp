// One outer iteration: each task for itself, summed in the order of the slots.

#include "outerloop/train/meta_step.h"

#include <cmath>
#include <limits>

#include "data/image_sets.h"
#include "outerloop/data/image_family.h"
#include "outerloop/train/forecast.h"
#include "outerloop/train/setup.h"
#include "train/problem.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

constexpr int kBroken = -1;

// Another family's tasks in an order of our own; a broken one has a target that is not a number.
class Arranged : public data::TaskFamily {
 public:
  Arranged(std::shared_ptr<const data::TaskFamily> base, std::vector<int> tasks)
      : TaskFamily(base->shape(), base->spec()), base_(std::move(base)), tasks_(std::move(tasks)) {}

  data::TaskDescription describe(const data::TaskKey& key) const override {
    return base_->describe(key);
  }

 private:
  void draw_task(const data::TaskKey& key, const data::EpisodeBuffers& buffers) const override {
    EXPECT_EQ(key.split, data::Split::train);
    const int task = tasks_.at(key.slot);
    data::TaskKey other = key;
    other.slot = static_cast<uint32_t>(std::abs(task));
    base_->draw(other, buffers);
    if (task == kBroken) buffers.query_x[0] = std::numeric_limits<float>::quiet_NaN();
  }

  std::shared_ptr<const data::TaskFamily> base_;
  std::vector<int> tasks_;
};

TEST(Forecast, IsWhatAMetaStepHolds) {
  const TemporaryFolder folder;
  data::save_image_set(data::small_set(), folder / "small.h5");
  const Words images = small_images(folder / "small.h5") + Words{"outer.meta_batch=7"};
  struct Case {
    std::string config;
    Words words;
  };
  for (const Case& c : std::vector<Case>{
           {"sinusoid_maml", {}},
           {"sinusoid_maml", {"inner.steps=5", "inner.segment=2", "outer.meta_batch=7"}},
           {"sinusoid_maml", {"inner.steps=3", "inner.batch=4", "outer.clip_norm=1"}},
           {"sinusoid_maml", {"outer.optimizer=sgd", "outer.weight_decay=0.1", "outer.ema=0.9"}},
           {"omniglot_imaml", images},
           {"omniglot_protonet", images + Words{"outer.meta_batch=1"}},
           {"omniglot_mamlpp", images}}) {
    for (const char* threads : {"runtime.threads=1", "runtime.threads=3"}) {
      const config::Resolved resolved = shipped(c.config, folder / "run", c.words + Words{threads});
      const train::Setup setup = make_setup(resolved.config, resolved.folder);
      ThreadPool pool(static_cast<int>(resolved.config.runtime.threads));
      const MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks,
                          pool);
      const MetaStepForecast forecast = forecast_meta_step(
          resolved.config, setup.learner, setup.train_shape, *setup.train_tasks, pool.size());
      EXPECT_EQ(forecast.buffer_bytes, step.buffer_bytes()) << c.config;
      EXPECT_EQ(forecast.lane_bytes, step.planned_lane_bytes()) << c.config;
      EXPECT_EQ(forecast.kernel_calls_per_task, step.kernel_calls_per_task()) << c.config;
      EXPECT_EQ(forecast.flops_per_task, step.flops_per_task().all) << c.config;
    }
  }
}

// Threads draw the tasks of the next iteration ahead, and then another one is asked for.
TEST(MetaStep, IterationsMayComeInAnyOrder) {
  const TemporaryFolder folder;
  const config::Resolved resolved = shipped("sinusoid_maml", folder / "run", {});
  const train::Setup setup = make_setup(resolved.config, resolved.folder);
  ThreadPool one(1), three(3);
  const auto step_on = [&](ThreadPool& pool) {
    return std::make_unique<MetaStep>(resolved.config, setup.learner, setup.train_shape,
                                      setup.train_tasks, pool);
  };
  const auto alone = step_on(one), together = step_on(three);
  for (const int64_t iteration : {0, 1, 2, 2, 7, 3, 4, 0}) {
    EXPECT_EQ(together->run(iteration).loss, alone->run(iteration).loss) << iteration;
  }
}

// Five tasks leave next to nothing of the variance of a unit that is off, and their mean, rounded,
// is more than was there.
TEST(MetaStep, OfReptileGoesOnWhereRoundingTakesAVarianceBelowZero) {
  const TemporaryFolder folder;
  const config::Resolved resolved = shipped(
      "sinusoid_maml", folder / "run",
      {"learner.algorithm=reptile", "inner.optimizer=adam", "inner.beta2=0.5", "inner.steps=30",
       "model.hidden=[6]", "outer.meta_batch=5", "outer.optimizer=sgd", "outer.rate=1"});
  const train::Setup setup = make_setup(resolved.config, resolved.folder);
  ThreadPool pool(2);
  MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool);
  OuterState state{.theta = step.state().theta.clone()};
  const auto place = [&step](const char* parameter) {
    return static_cast<size_t>(step.layout().find(parameter)->offset);
  };
  const size_t variance = place("variance/net/dense1/bias");
  state.theta.as<float>()[place("net/dense1/bias")] = -100;
  state.theta.as<float>()[variance] = 0.9F;
  step.set_state(state);
  EXPECT_EQ(step.run(0).nonfinite, 0);
  EXPECT_LT(step.state().theta.as<float>()[variance], 0);
  EXPECT_EQ(step.run(1).nonfinite, 0);
  EXPECT_NEAR(step.state().theta.as<float>()[variance], 0, 1e-6);
}

// Some 180 GB for each copy of the meta-parameters.
TEST(Forecast, NeedsNoMemoryItself) {
  const std::string width = "65536";
  std::string hidden = width;
  for (int i = 1; i < 12; ++i) hidden += ", " + width;
  const MemoryForecast forecast = forecast_memory(
      shipped("sinusoid_maml", "/nowhere", {"model.hidden=[" + hidden + "]", "runtime.threads=2"}));
  const int64_t weights = int64_t{11} * 65536 * 65536;
  EXPECT_GT(forecast.parameters, weights);
  EXPECT_GT(forecast.buffer_bytes, weights * int64_t{sizeof(float)});
}

class OneStep : public testing::TestWithParam<Problem> {
 protected:
  OneStep() {
    data::save_image_set(data::small_set(), folder_ / "small.h5");
    Words words = GetParam().words;
    // After one step the momentum is the gradient, whatever the rate.
    words = words + Words{"outer.optimizer=sgd", "outer.momentum=0.5"};
    if (GetParam().config != "sinusoid_maml") {
      words = words + Words{"tasks.dataset=" + (folder_ / "small.h5").string(), "tasks.split=half"};
    }
    resolved_ = shipped(GetParam().config, folder_ / "run", words);
    setup_ = std::make_unique<train::Setup>(make_setup(resolved_.config, folder_.path()));
  }

  struct Outcome {
    std::vector<float> gradient;
    MetaStepResult result;
  };

  // The mean gradient over these tasks.
  Outcome mean_over(const std::vector<int>& tasks, int threads) const {
    config::Config config = resolved_.config;
    config.outer.meta_batch = static_cast<int64_t>(tasks.size());
    ThreadPool pool(threads);
    MetaStep step(config, setup_->learner, setup_->train_shape,
                  std::make_shared<Arranged>(setup_->train_tasks, tasks), pool);
    Outcome outcome;
    outcome.result = step.run(0);
    const auto values = step.state().optimizer.at(0).value.as<float>();
    outcome.gradient.assign(values.begin(), values.end());
    return outcome;
  }

  // One task's gradient, computed beside broken ones: what is random about it depends on its slot.
  Outcome alone(const std::vector<int>& tasks, size_t slot) const {
    std::vector<int> others(tasks.size(), kBroken);
    others[slot] = tasks[slot];
    return mean_over(others, 1);
  }
  std::vector<std::vector<float>> gradients_of(const std::vector<int>& tasks) const {
    std::vector<std::vector<float>> each;
    for (size_t slot = 0; slot < tasks.size(); ++slot) each.push_back(alone(tasks, slot).gradient);
    return each;
  }

  TemporaryFolder folder_;
  config::Resolved resolved_;
  std::unique_ptr<train::Setup> setup_;
};

std::vector<float> sum(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> result = a;
  for (size_t i = 0; i < a.size(); ++i) result[i] += b[i];
  return result;
}

std::vector<float> times(std::vector<float> values, float factor) {
  for (float& value : values) value *= factor;
  return values;
}

TEST_P(OneStep, ATaskDoesNotDependOnItsNeighbours) {
  const std::vector<int> tasks{10, 11, 12, 13, 14};
  const auto each = gradients_of(tasks);
  ASSERT_NE(each[0], each[1]);
  const std::vector<float> expected =
      times(sum(sum(sum(each[0], each[1]), sum(each[2], each[3])), each[4]), 1.0F / 5);
  for (const int threads : {1, 2, 3, 5, 7}) {
    EXPECT_EQ(mean_over(tasks, threads).gradient, expected) << threads << " threads";
  }
}

class OneStepWithoutNoise : public OneStep {};

TEST_P(OneStepWithoutNoise, TwinsOfTheTreeMayChangePlaces) {
  EXPECT_EQ(mean_over({10, 11, 12, 13}, 2).gradient, mean_over({13, 12, 11, 10}, 3).gradient);
}

TEST_P(OneStep, TasksThatAreNotFiniteAreLeftOutAndCounted) {
  const std::vector<int> tasks{10, 11, kBroken, 13, 14};
  std::vector<Outcome> each;
  double loss = 0;
  for (const size_t slot : {0, 1, 3, 4}) {
    each.push_back(alone(tasks, slot));
    loss += each.back().result.loss;
  }
  const std::vector<float> expected =
      times(sum(sum(sum(each[0].gradient, each[1].gradient), each[2].gradient), each[3].gradient),
            1.0F / 4);
  for (const int threads : {1, 2, 3, 5}) {
    const Outcome outcome = mean_over(tasks, threads);
    EXPECT_EQ(outcome.result.nonfinite, 1);
    EXPECT_EQ(outcome.gradient, expected) << threads << " threads";
    EXPECT_EQ(outcome.result.loss, loss / 4);
  }
}

TEST_P(OneStep, WithoutAFiniteTaskNothingIsLearned) {
  config::Config config = resolved_.config;
  config.outer.meta_batch = 2;
  ThreadPool pool(2);
  MetaStep step(config, setup_->learner, setup_->train_shape,
                std::make_shared<Arranged>(setup_->train_tasks, std::vector<int>{kBroken, kBroken}),
                pool);
  const Tensor before = step.state().theta.clone();
  EXPECT_EQ(step.run(0).nonfinite, 2);
  EXPECT_TRUE(std::ranges::equal(before.as<float>(), step.state().theta.as<float>()));
}

const Words kSmallImages{"model.filters=5", "model.blocks=2", "tasks.ways=3",
                         "inner.steps=2",   "test.steps=2",   "outer.schedule=constant"};

const std::vector<Problem> kProblems{{"sinusoid", "sinusoid_maml", {}},
                                     {"conv4", "omniglot_maml", kSmallImages},
                                     {"implicit", "omniglot_imaml", kSmallImages}};
const Problem kDropout{"dropout", "sinusoid_maml", {"model.dropout=0.2"}};

const auto name_of_problem = [](const auto& one) { return one.param.name; };
INSTANTIATE_TEST_SUITE_P(All, OneStep, testing::ValuesIn(kProblems), name_of_problem);
INSTANTIATE_TEST_SUITE_P(Noisy, OneStep, testing::Values(kDropout), name_of_problem);
INSTANTIATE_TEST_SUITE_P(All, OneStepWithoutNoise, testing::ValuesIn(kProblems), name_of_problem);

}  // namespace
}  // namespace outerloop::train
