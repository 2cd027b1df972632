// What a run computes depends on its config alone: not on ranks, threads, instructions or
// interruptions.

#include <fmt/format.h>

#include <optional>
#include <random>

#include "outerloop/comm/local.h"
#include "outerloop/exec/isa.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

struct Case {
  std::string name;
  std::string config;
  int64_t iterations = 0;
  Words words;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

// Meta-batches that are no multiple of any number of threads, periods that divide nothing.
std::vector<Case> cases() {
  const Words few{"validation.every=40", "validation.tasks=9", "test.tasks=9",
                  "log.every_iterations=23", "outer.meta_batch=7"};
  const Words images = few + Words{"model.filters=6", "outer.schedule=constant"};
  return {
      {"sinusoid", "sinusoid_maml", 120, few},
      {"average_and_clipped_norm", "sinusoid_maml", 100,
       few + Words{"outer.ema=0.99", "outer.clip_norm=0.5", "outer.optimizer=adamw",
                   "outer.weight_decay=0.01", "outer.schedule=cosine"}},
      {"adam_inside_in_segments", "sinusoid_maml_5step", 50,
       few + Words{"inner.optimizer=adam", "inner.segment=2", "learner.learn_rate=true"}},
      {"conv4", "omniglot_maml", 10, images + Words{"log.every_iterations=3"}},
      {"multi_step_loss", "omniglot_mamlpp", 6,
       images + Words{"outer.epoch=2", "learner.multi_step_loss_epochs=2", "inner.steps=3",
                      "test.steps=3"}},
      {"implicit", "omniglot_imaml", 3, images + Words{"inner.steps=3", "test.steps=3"}},
      {"reptile", "omniglot_reptile", 5,
       images + Words{"outer.ema=0.9", "inner.steps=3", "test.steps=3"}},
      {"ridge", "omniglot_r2d2", 4, images},
      {"minibatches", "sinusoid_maml", 60, few + Words{"inner.steps=3", "inner.batch=4"}},
      {"dropout", "sinusoid_maml", 60, few + Words{"model.dropout=0.3"}},
      {"learned_optimizer", "sinusoid_learned_optimizer", 15,
       few + Words{"inner.steps=3", "test.steps=4", "model.dropout=0.1"}},
  };
}

class Invariance : public testing::TestWithParam<Case> {
 protected:
  config::Resolved config(const std::string& name, const Words& words) const {
    return shipped(GetParam().config, folder_ / name,
                   GetParam().words +
                       Words{fmt::format("outer.iterations={}", GetParam().iterations)} + words);
  }

  void run(const std::string& name, const Words& words) const { train(config(name, words), {}); }

  // Ranks are threads here, as many as `ranks`; stopped at `stop` where that is given.
  void run_on_ranks(const std::string& name, int ranks, const Words& words,
                    std::optional<int64_t> stop = {}) const {
    const config::Resolved resolved = config(name, words);
    comm::run_ranks(ranks, [&](comm::Communicator& rank) {
      TrainOptions options;
      options.ranks = &rank;
      const TrainResult result =
          stop ? train_until(resolved, *stop, options) : train(resolved, options);
      EXPECT_EQ(result.outcome, stop ? Outcome::stopped : Outcome::done);
    });
  }

  void expect_same(const std::string& a, const std::string& b) const {
    EXPECT_TRUE(same_checkpoints(newest_checkpoint(folder_ / a), newest_checkpoint(folder_ / b)));
    EXPECT_EQ(lasting_metrics(folder_ / a), lasting_metrics(folder_ / b));
    EXPECT_EQ(summary_of(folder_ / a)["test"], summary_of(folder_ / b)["test"]);
    EXPECT_EQ(read_file(RunFolder{folder_ / a}.test_tasks()),
              read_file(RunFolder{folder_ / b}.test_tasks()));
  }

  TemporaryFolder folder_;
};

TEST_P(Invariance, ThreadsDoNotMatter) {
  run("one", {"runtime.threads=1"});
  for (const char* threads : {"2", "3", "4"}) {
    run(threads, {fmt::format("runtime.threads={}", threads)});
    expect_same("one", threads);
  }
}

TEST_P(Invariance, RanksDoNotMatter) {
  run("one", {});
  for (const int ranks : {2, 3, 8}) {
    const std::string name = fmt::format("ranks{}", ranks);
    run_on_ranks(name, ranks, {fmt::format("runtime.threads={}", 1 + ranks % 2)});
    expect_same("one", name);
  }
}

TEST_P(Invariance, AnotherNumberOfRanksGoesOn) {
  run("whole", {});
  const int64_t stop = GetParam().iterations / 2;
  run_on_ranks("pieces", 3, {"runtime.threads=1"}, stop);
  run_on_ranks("pieces", 2, {"runtime.threads=2"});
  expect_same("whole", "pieces");
}

TEST_P(Invariance, InstructionsDoNotMatter) {
  run("scalar", {"runtime.isa=scalar"});
  std::string missing;
  for (const exec::Isa isa : {exec::Isa::avx2, exec::Isa::avx512}) {
    const std::string name(exec::name_of(isa));
    if (static_cast<int>(isa) > static_cast<int>(exec::select_isa())) {
      missing += " " + name;
      continue;
    }
    run(name, {"runtime.isa=" + name});
    expect_same("scalar", name);
  }
  if (!missing.empty()) GTEST_SKIP() << "not selected or not in this processor:" << missing;
}

TEST_P(Invariance, InterruptionsDoNotMatter) {
  run("whole", {});
  std::mt19937 random(static_cast<uint32_t>(GetParam().iterations));
  for (int trial = 0; trial < 2; ++trial) {
    const std::string name = fmt::format("pieces{}", trial);
    const auto first = static_cast<int64_t>(random()) % GetParam().iterations;
    const int64_t second = first + static_cast<int64_t>(random()) % (GetParam().iterations - first);
    for (const int64_t stop : {first, second}) {
      const TrainResult piece = train_until(config(name, {"runtime.threads=1"}), stop);
      EXPECT_EQ(piece.outcome, Outcome::stopped);
      EXPECT_EQ(piece.why, "the test");
    }
    run(name, {});
    expect_same("whole", name);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Invariance, testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

// The rule that it learns adapts to tasks that it has not seen.
TEST(ShortRun, TeachesALearnedOptimizer) {
  const TemporaryFolder folder;
  const Words words{"validation.every=0", "test.tasks=200", "report.write=false"};
  const auto loss_after = [&](const std::string& iterations) {
    const auto place = folder / iterations;
    train(shipped("sinusoid_learned_optimizer", place,
                  words + Words{"outer.iterations=" + iterations}),
          {});
    return summary_of(place)["test"]["loss"]["mean"].get<double>();
  };
  EXPECT_LT(loss_after("1000"), 0.6 * loss_after("1"));
}

TEST(LongRun, FiveThousandIterationsInThreePiecesAreOneRun) {
  const TemporaryFolder folder;
  const Words words{"outer.iterations=5000", "validation.tasks=50", "test.tasks=50"};
  train(shipped("sinusoid_maml", folder / "whole", words), {});
  std::mt19937 random(5);
  const auto first = static_cast<int64_t>(random() % 2500);
  const auto second = first + static_cast<int64_t>(random() % 2500);
  const config::Resolved pieces = shipped("sinusoid_maml", folder / "pieces", words);
  for (const int64_t stop : {first, second}) {
    const TrainResult piece = train_until(pieces, stop);
    ASSERT_EQ(piece.outcome, Outcome::stopped);
    ASSERT_GE(piece.iterations, stop);
  }
  EXPECT_EQ(train(pieces, {}).outcome, Outcome::done);
  EXPECT_TRUE(
      same_checkpoints(newest_checkpoint(folder / "whole"), newest_checkpoint(folder / "pieces")));
  EXPECT_EQ(lasting_metrics(folder / "whole"), lasting_metrics(folder / "pieces"));
}

}  // namespace
}  // namespace outerloop::train
