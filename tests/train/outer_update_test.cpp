// The outer update: what is not finite changes nothing, and only updates that were made count.

#include "train/outer_update.h"

#include <cmath>
#include <limits>

#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

constexpr int64_t kElements = 6224;  // enough for three threads
using Vector = std::vector<float>;

Vector drawn(float seed) {
  Vector values(kElements);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(seed + 1.7F * static_cast<float>(i));
  }
  return values;
}

// A learner's parameters and their update, fed with gradients of our own.
class Update {
 public:
  Update(const config::Outer& outer, int threads) : pool_(threads), compiler_({}) {
    config::Config config;
    config.outer = outer;
    const nn::ParameterSpecs parameters{
        {"weight", {kElements}, {.rule = config::Init::normal, .std = 1}}};
    update_ =
        std::make_unique<OuterUpdate>(config, parameters, layout_of(parameters), pool_, compiler_);
  }

  bool apply(int64_t iteration, std::vector<Vector> slots) {
    std::vector<comm::SlotNode> nodes;
    for (size_t i = 0; i < slots.size(); ++i) {
      nodes.push_back({0, static_cast<int64_t>(i), true, slots[i].data()});
    }
    return update_->apply(iteration, nodes, static_cast<int64_t>(nodes.size()));
  }

  // Theta, then the optimiser's states.
  std::vector<Vector> values() const {
    std::vector<Vector> all;
    const auto add = [&all](const Tensor& tensor) {
      const auto values = tensor.as<float>();
      all.emplace_back(values.begin(), values.end());
    };
    add(update_->state().theta);
    for (const io::NamedTensor& item : update_->state().optimizer) add(item.value);
    return all;
  }
  int64_t updates() const { return update_->state().updates; }

 private:
  ThreadPool pool_;
  CallCompiler compiler_;
  std::unique_ptr<OuterUpdate> update_;
};

config::Outer adam() {
  config::Outer outer;
  outer.optimizer = config::OuterOptimizer::adamw;
  outer.rate = 0.01;
  outer.weight_decay = 0.1;
  outer.ema = 0.9;
  return outer;
}

Vector with(Vector values, size_t place, float value) {
  values[place] = value;
  return values;
}

constexpr float kLarge = 3e38F;  // finite; twice it is not

struct Refused {
  std::string name;
  config::Outer outer;
  std::vector<Vector> slots;
};

void PrintTo(const Refused& one, std::ostream* out) {
  *out << one.name;
}

std::vector<Refused> refused() {
  const Vector overflows = with(drawn(1), 77, kLarge);
  config::Outer clipped = adam();
  clipped.clip_value = 1;
  config::Outer scaled = adam();
  scaled.clip_norm = 1;
  config::Outer descent;
  descent.optimizer = config::OuterOptimizer::sgd;
  descent.rate = 1e30;
  return {{"sum", adam(), {overflows, overflows}},
          // inf - inf
          {"sums_of_both_signs",
           adam(),
           {overflows, overflows, with(drawn(2), 77, -kLarge), with(drawn(2), 77, -kLarge)}},
          {"sum_that_clipping_would_hide", clipped, {overflows, overflows}},
          {"sum_whose_norm_is_clipped", scaled, {overflows, overflows}},
          {"square_in_adam", adam(), {with(drawn(1), 3, 1e30F)}},
          {"step", descent, {with(drawn(1), 40, 1e20F)}}};
}

class NotFinite : public testing::TestWithParam<Refused> {};

TEST_P(NotFinite, ChangesNothingAndDoesNotCount) {
  for (const int threads : {1, 2, 3}) {
    SCOPED_TRACE(threads);
    Update skipping(GetParam().outer, threads);
    Update clean(GetParam().outer, threads);
    const std::vector<Vector> ordinary{drawn(5), drawn(6)};
    ASSERT_TRUE(skipping.apply(0, ordinary));
    ASSERT_TRUE(clean.apply(0, ordinary));
    const auto before = skipping.values();
    EXPECT_FALSE(skipping.apply(1, GetParam().slots));
    EXPECT_EQ(skipping.values(), before);
    EXPECT_EQ(skipping.updates(), 1);
    // Adam's next step is its second, although the iteration is the third.
    EXPECT_TRUE(skipping.apply(2, ordinary));
    EXPECT_TRUE(clean.apply(1, ordinary));
    EXPECT_EQ(skipping.values(), clean.values());
    EXPECT_NE(skipping.values(), before);
    EXPECT_EQ(skipping.updates(), 2);
  }
}

INSTANTIATE_TEST_SUITE_P(All, NotFinite, testing::ValuesIn(refused()),
                         [](const auto& one) { return one.param.name; });

TEST(OuterUpdate, DoesNotDependOnTheThreads) {
  const std::vector<Vector> slots{drawn(1), drawn(2), drawn(3)};
  Update one(adam(), 1);
  for (int64_t t = 0; t < 3; ++t) ASSERT_TRUE(one.apply(t, slots));
  for (const int threads : {2, 3, 5, 7}) {
    Update many(adam(), threads);
    for (int64_t t = 0; t < 3; ++t) ASSERT_TRUE(many.apply(t, slots));
    EXPECT_EQ(many.values(), one.values()) << threads << " threads";
  }
}

TEST(MetaStepUpdate, ThatIsNotFiniteLeavesAllTasksOut) {
  const TemporaryFolder folder;
  const config::Resolved resolved =
      shipped("sinusoid_maml", folder / "run",
              {"outer.optimizer=sgd", "outer.rate=1e39", "outer.meta_batch=5"});
  const train::Setup setup = make_setup(resolved.config, folder.path());
  ThreadPool pool(2);
  MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool);
  const Tensor before = step.state().theta.clone();
  EXPECT_EQ(step.run(0).nonfinite, 5);
  EXPECT_EQ(step.state().updates, 0);
  EXPECT_TRUE(std::ranges::equal(step.state().theta.as<float>(), before.as<float>()));
}

// Single tasks per iteration, of which the wilder ones diverge in the inner loop.
class SkippingRun : public testing::Test {
 protected:
  config::Resolved config(const std::string& name) const {
    return shipped(
        "sinusoid_maml", folder_ / name,
        {"outer.iterations=60", "outer.meta_batch=1", "inner.steps=20", "inner.rate=0.8",
         "stop.max_nonfinite=1000", "validation.every=0", "test.tasks=0", "outer.rate=1e-5"});
  }
  checkpoint::Checkpoint newest(const std::string& name) const {
    return checkpoint::read_checkpoint(newest_checkpoint(folder_ / name));
  }

  TemporaryFolder folder_;
};

TEST_F(SkippingRun, CountsItsUpdatesAndGoesOnWithThem) {
  train(config("whole"), {});
  const checkpoint::Checkpoint whole = newest("whole");
  const int64_t nonfinite = whole.integers.at("nonfinite");
  EXPECT_GT(nonfinite, 5);
  EXPECT_LT(nonfinite, 55);
  EXPECT_EQ(whole.integers.at("updates"), 60 - nonfinite);
  train_until(config("pieces"), 31);
  EXPECT_LT(newest("pieces").integers.at("updates"), 31);
  train(config("pieces"), {});
  EXPECT_TRUE(same_checkpoints(newest_checkpoint(folder_ / "whole"),
                               newest_checkpoint(folder_ / "pieces")));
}

TEST_F(SkippingRun, CheckpointsWithoutTheCountHaveCountedIterations) {
  train_until(config("run"), 31);
  checkpoint::Checkpoint old = newest("run");
  const int64_t skipped = 31 - old.integers.at("updates");
  ASSERT_GT(skipped, 0);
  ASSERT_EQ(old.integers.erase("updates"), 1u);
  checkpoint::Store(folder_ / "run/ckpt", {}).save(old, false);
  train(config("run"), {});
  const checkpoint::Checkpoint end = newest("run");
  EXPECT_EQ(end.integers.at("updates"), 60 - end.integers.at("nonfinite") + skipped);
}

}  // namespace
}  // namespace outerloop::train
