// The outer update: what is not finite changes nothing, and only updates that were made count.

#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/runs.h"
#include "train/updates.h"

namespace outerloop::train {
namespace {

class NotFinite : public testing::TestWithParam<Refused> {};

TEST_P(NotFinite, ChangesNothingAndDoesNotCount) {
  for (const int threads : {1, 2, 3}) expect_refused(GetParam(), Where{threads});
}

INSTANTIATE_TEST_SUITE_P(All, NotFinite, testing::ValuesIn(refused()),
                         [](const auto& one) { return one.param.name; });

TEST(OuterUpdate, DoesNotDependOnTheThreads) {
  for (const int threads : {2, 3, 5, 7}) {
    for (const Optimiser& optimiser : optimisers()) expect_same_bits(optimiser, Where{threads});
  }
}

TEST(OuterUpdate, ClipsWhatIsHuge) {
  expect_huge_is_clipped(Where{2});
}

TEST(OuterUpdate, OnlyWeightsDecay) {
  const nn::ParameterSpecs parameters{{"weight", {3}, {}, nn::ParameterRole::weight},
                                      {"bias", {2}, {}, nn::ParameterRole::bias},
                                      {"norm", {2}, {}, nn::ParameterRole::norm},
                                      {"rate", {}, {}, nn::ParameterRole::setting},
                                      {"head", {4}, {}, nn::ParameterRole::weight, true}};
  const optim::ThetaLayout layout = layout_of(parameters);
  std::vector<float> expected(static_cast<size_t>(layout.elements), 0.0F);
  for (const char* name : {"weight", "head"}) {
    const optim::ThetaEntry& entry = *layout.find(name);
    std::fill_n(expected.begin() + entry.offset, entry.shape.elements(), 1.0F);
  }
  config::Outer outer;
  outer.weight_decay = 0.1;
  const Tensor mask = decaying_weights(outer, parameters, layout);
  EXPECT_TRUE(std::ranges::equal(mask.as<float>(), expected));
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
