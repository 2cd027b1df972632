// A training on several ranks: what is wrong on one ends all with one message, a stop asked of one
// stops all at one iteration.

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <thread>

#include "data/image_sets.h"
#include "outerloop/base/error.h"
#include "outerloop/base/stopwatch.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "outerloop/data/image_file.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "support/message_of.h"
#include "train/finite.h"
#include "train/runs.h"
#include "train/slot_plan.h"
#include "train/slow_tasks.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

const Words kShort{"outer.meta_batch=5", "outer.iterations=60",     "validation.tasks=20",
                   "test.tasks=20",      "log.every_iterations=30", "runtime.threads=1"};

class Ranks : public testing::Test {
 protected:
  // What each rank's training threw; empty where it ended well.
  std::vector<std::string> errors(int ranks,
                                  const std::function<config::Resolved(int)>& config) const {
    std::vector<std::string> messages(static_cast<size_t>(ranks));
    comm::run_ranks(ranks, [&](comm::Communicator& rank) {
      TrainOptions options;
      options.ranks = &rank;
      try {
        train(config(rank.rank()), options);
      } catch (const std::exception& error) {
        const bool agreed = dynamic_cast<const comm::Agreed*>(&error) != nullptr;
        messages[static_cast<size_t>(rank.rank())] =
            (agreed ? "agreed: " : "") + std::string(error.what());
      }
    });
    return messages;
  }

  TemporaryFolder folder_;
};

TEST_F(Ranks, AStopAskedOfOneStopsAllAtOneIteration) {
  const config::Resolved resolved = shipped("sinusoid_maml", folder_ / "run", kShort);
  std::vector<TrainResult> results(3);
  comm::run_ranks(3, [&](comm::Communicator& rank) {
    TrainOptions options;
    options.ranks = &rank;
    int asked = 0;
    options.stop_requested = [&] { return rank.rank() == 1 && ++asked > 20 ? "SIGTERM" : ""; };
    results[static_cast<size_t>(rank.rank())] = train(resolved, options);
  });
  for (const TrainResult& result : results) {
    EXPECT_EQ(result.outcome, Outcome::stopped);
    EXPECT_EQ(result.why, "SIGTERM");
    EXPECT_EQ(result.iterations, 20);
  }
  EXPECT_EQ(newest_checkpoint(folder_ / "run").filename(), "ckpt-000000020.h5");
}

// Rank 1 asks within the validation of iteration 100.
TEST_F(Ranks, AStopAskedOfOneInAValidationStopsAllThere) {
  const Words words =
      kShort + Words{"outer.iterations=150", "validation.every=100", "validation.tasks=20"};
  const config::Resolved resolved = shipped("sinusoid_maml", folder_ / "run", words);
  for (const bool stops : {true, false}) {
    comm::run_ranks(3, [&](comm::Communicator& rank) {
      TrainOptions options;
      options.ranks = &rank;
      int64_t done = 0;
      int asked = 0;
      options.on_iteration = [&](const Progress::Sample& sample) { done = sample.done; };
      options.stop_requested = [&] {
        return std::string(stops && rank.rank() == 1 && done == 99 && ++asked > 1 ? "SIGTERM" : "");
      };
      const TrainResult result = train(resolved, options);
      EXPECT_EQ(result.outcome, stops ? Outcome::stopped : Outcome::done);
      EXPECT_EQ(result.why, stops ? "SIGTERM" : "");
      EXPECT_EQ(result.iterations, stops ? 100 : 150);
    });
  }
  train(shipped("sinusoid_maml", folder_ / "whole", words), {});
  EXPECT_TRUE(
      same_checkpoints(newest_checkpoint(folder_ / "whole"), newest_checkpoint(folder_ / "run")));
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "run"));
}

TEST_F(Ranks, RanksWithMoreThreadsEvaluateAlike) {
  const Words words = kShort + Words{"outer.iterations=20", "test.tasks=600"};
  comm::run_ranks(2, [&](comm::Communicator& rank) {
    TrainOptions options;
    options.ranks = &rank;
    train(shipped("sinusoid_maml", folder_ / "run",
                  words + Words{rank.rank() == 1 ? "runtime.threads=3" : "runtime.threads=1"}),
          options);
  });
  train(shipped("sinusoid_maml", folder_ / "whole", words), {});
  EXPECT_EQ(summary_of(folder_ / "run")["test"], summary_of(folder_ / "whole")["test"]);
}

TEST_F(Ranks, WhatIsWrongOnOneIsToldByAll) {
  const auto messages = errors(3, [&](int rank) {
    return shipped("omniglot_maml", folder_ / "run",
                   {rank == 2 ? "tasks.ways=400" : "tasks.ways=5", "outer.iterations=1"});
  });
  for (const std::string& message : messages) {
    EXPECT_EQ(message, messages[0]);
    EXPECT_TRUE(message.starts_with("agreed: ")) << message;
    EXPECT_CONTAINS(message, "rank 2");
    EXPECT_CONTAINS(message, "400 ways");
  }
  EXPECT_FALSE(fs::exists(folder_ / "run/ckpt"));
}

TEST_F(Ranks, OtherConfigsOnOtherRanksAreRefused) {
  const auto messages = errors(3, [&](int rank) {
    return shipped("sinusoid_maml", folder_ / "run",
                   kShort + Words{rank == 1 ? "inner.rate=0.02" : "inner.rate=0.01"});
  });
  for (const std::string& message : messages) EXPECT_CONTAINS(message, "the config");
}

TEST_F(Ranks, OtherDataOnOtherRanksAreRefused) {
  data::ImageSet set = data::small_set();
  for (const char* host : {"host0", "host1"}) {
    fs::create_directory(folder_ / host);
    data::save_image_set(set, folder_ / host / "small.h5");
    set.pixels.back() ^= 1;
  }
  const auto messages = errors(2, [&](int rank) {
    config::Resolved resolved = shipped("omniglot_maml", folder_ / "run", small_images("small.h5"));
    resolved.folder = folder_ / fmt::format("host{}", rank);
    return resolved;
  });
  for (const std::string& message : messages) {
    EXPECT_CONTAINS(message, "the data set is not the same on all ranks");
    EXPECT_CONTAINS(message, "copy one file to every host");
  }
}

TEST_F(Ranks, AFolderThatRank0CannotClaimEndsAll) {
  write_file_atomically(folder_ / "file", "");
  const auto messages =
      errors(2, [&](int) { return shipped("sinusoid_maml", folder_ / "file", kShort); });
  for (const std::string& message : messages) EXPECT_CONTAINS(message, "choose another run_dir");
}

TEST_F(Ranks, SlotsThatAreNotFiniteAreDroppedAlike) {
  const Words wild = kShort + Words{"inner.rate=30", "inner.steps=3", "validation.every=0",
                                    "stop.max_nonfinite=1000", "test.tasks=0"};
  train(shipped("sinusoid_maml", folder_ / "one", wild), {});
  const config::Resolved resolved = shipped("sinusoid_maml", folder_ / "three", wild);
  comm::run_ranks(3, [&](comm::Communicator& rank) {
    TrainOptions options;
    options.ranks = &rank;
    train(resolved, options);
  });
  EXPECT_GT(summary_of(folder_ / "one")["nonfinite"], 0);
  EXPECT_TRUE(
      same_checkpoints(newest_checkpoint(folder_ / "one"), newest_checkpoint(folder_ / "three")));
  EXPECT_EQ(lasting_metrics(folder_ / "one"), lasting_metrics(folder_ / "three"));
}

// The first task's query points are far out.
class FarOut : public data::TaskFamily {
 public:
  FarOut(std::shared_ptr<const data::TaskFamily> base, float factor)
      : TaskFamily(base->shape(), base->spec()), base_(std::move(base)), factor_(factor) {}
  data::TaskDescription describe(const data::TaskKey& key) const override {
    return base_->describe(key);
  }

 private:
  void draw_task(const data::TaskKey& key, const data::EpisodeBuffers& buffers) const override {
    base_->draw(key, buffers);
    if (key.slot != 0) return;
    for (float& x : buffers.query_x) x *= factor_;
  }
  std::shared_ptr<const data::TaskFamily> base_;
  float factor_;
};

OuterState with_small_first_layer(const MetaStep& step) {
  OuterState state = step.state();
  state.theta = state.theta.clone();
  for (io::NamedTensor& item : state.optimizer) item.value = item.value.clone();
  const optim::ThetaEntry& entry = *step.layout().find("net/dense1/weight");
  for (int64_t i = 0; i < entry.shape.elements(); ++i) {
    state.theta.as<float>()[static_cast<size_t>(entry.offset + i)] *= 1e-4f;
  }
  return state;
}

// With small weights in the first layer and inputs that are far out, its gradient is the first one
// to overflow and the last one to be known: the groups of the other layers are on their way by
// then.
TEST_F(Ranks, ASlotThatEndsBadlyAfterAPartOfItWasSentIsLeftOutAlike) {
  const config::Resolved resolved =
      shipped("sinusoid_fomaml", folder_ / "run",
              {"model.hidden=[160, 160, 160]", "outer.meta_batch=3", "runtime.threads=1"});
  const config::Config& config = resolved.config;
  const train::Setup setup = make_setup(config, resolved.folder);
  std::map<int, int> repeated;  // by threads
  uint64_t usual = 0;
  for (const float factor : {1.0f, 1e23f, 1e24f, 1e25f, 1e26f, 1e27f, 1e28f}) {
    const auto family = std::make_shared<FarOut>(setup.train_tasks, factor);
    ThreadPool pool(1);
    MetaStep alone(config, setup.learner, setup.train_shape, family, pool);
    const OuterState start = with_small_first_layer(alone);
    alone.set_state(start);
    const MetaStepResult expected = alone.run(0);
    for (const auto& [ranks, threads] : {std::pair{3, 1}, {2, 2}}) {
      comm::run_ranks(ranks, [&, threads = threads](comm::Communicator& rank) {
        ThreadPool own_pool(threads);
        MetaStep step(config, setup.learner, setup.train_shape, family, own_pool, {}, &rank);
        step.set_state(start);
        const MetaStepResult result = step.run(0);
        EXPECT_EQ(result.nonfinite, expected.nonfinite) << factor;
        EXPECT_EQ(result.loss, expected.loss) << factor;
        EXPECT_TRUE(
            std::ranges::equal(step.state().theta.as<float>(), alone.state().theta.as<float>()))
            << factor;
        if (rank.rank() != 0) return;
        if (factor == 1) usual = rank.log().entered();
        if (rank.log().entered() > usual) ++repeated[threads];
      });
    }
  }
  EXPECT_GT(repeated[1], 0);
  EXPECT_GT(repeated[2], 0);
}

// Whatever else runs on the machine only adds to times.
double lower_quartile(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 4];
}

TEST_F(Ranks, SlotsGoWhereTheyAreComputedFastest) {
  constexpr int kIterations = 70;
  constexpr int kTimed = 20;
  const config::Resolved resolved =
      shipped("sinusoid_maml", folder_ / "run", {"outer.meta_batch=14", "runtime.threads=1"});
  const config::Config& config = resolved.config;
  const train::Setup setup = make_setup(config, resolved.folder);
  ThreadPool pool(1);
  MetaStep alone(config, setup.learner, setup.train_shape, setup.train_tasks, pool);
  for (int i = 0; i < kIterations; ++i) alone.run(i);
  std::vector<RankSpeed> speeds(3);
  std::vector<double> seconds;
  comm::run_ranks(3, [&](comm::Communicator& rank) {
    const std::chrono::milliseconds pause(rank.rank() == 1 ? 18 : 6);
    const auto family = std::make_shared<SlowTasks>(setup.train_tasks, pause);
    ThreadPool own_pool(1);
    MetaStep step(config, setup.learner, setup.train_shape, family, own_pool, {}, &rank);
    for (int i = 0; i < kIterations; ++i) {
      const Stopwatch watch;
      step.run(i);
      if (rank.rank() == 0 && i >= kIterations - kTimed) seconds.push_back(watch.seconds());
    }
    speeds[static_cast<size_t>(rank.rank())] = {family->seconds_of_a_task(), 1};
    EXPECT_TRUE(
        std::ranges::equal(step.state().theta.as<float>(), alone.state().theta.as<float>()));
  });
  const double ideal = seconds_of(plan_slots(14, speeds), speeds);
  EXPECT_LT(lower_quartile(seconds), 1.15 * ideal);
  EXPECT_LT(1.5 * ideal, seconds_of(dealt({0, 14}, 3), speeds)) << "nothing is to be gained";
}

// On few ranks the library's order of a sum is much like ours: the results are near.
TEST_F(Ranks, AFastSumIsDeclaredAndNotGoneOnWithByAnother) {
  const auto train_with = [&](const std::string& name, const std::string& reduction) {
    const config::Resolved resolved =
        shipped("sinusoid_maml", folder_ / name, kShort + Words{"runtime.reduction=" + reduction});
    comm::run_ranks(3, [&](comm::Communicator& rank) {
      TrainOptions options;
      options.ranks = &rank;
      train(resolved, options);
    });
  };
  train_with("ordered", "ordered");
  train_with("fast", "fast");
  const auto loss = [&](const char* name) {
    return summary_of(folder_ / name)["test"]["loss"]["mean"].get<double>();
  };
  EXPECT_NEAR(loss("fast"), loss("ordered"), 0.01 * loss("ordered"));
  EXPECT_EQ(summary_of(folder_ / "fast")["reduction"], "fast");
  EXPECT_EQ(nlohmann::json::parse(read_file(folder_ / "fast/manifest.json"))["reduction"], "fast");
  EXPECT_CONTAINS(checkpoint::read_checkpoint(newest_checkpoint(folder_ / "fast")).config,
                  "reduction: fast");
  try {
    train_with("fast", "ordered");
    ADD_FAILURE() << "went on by another reduction";
  } catch (const BadInput& error) {
    EXPECT_CONTAINS(error.what(), "runtime.reduction was fast and is now ordered");
  }
}

TEST_F(Ranks, AFastSumLeavesOutWhatIsNotFinite) {
  const config::Resolved resolved =
      shipped("sinusoid_maml", folder_ / "run",
              {"outer.meta_batch=3", "runtime.threads=1", "runtime.reduction=fast"});
  const train::Setup setup = make_setup(resolved.config, resolved.folder);
  const auto family = std::make_shared<FarOut>(setup.train_tasks, 1e30f);
  comm::run_ranks(5, [&](comm::Communicator& rank) {
    ThreadPool pool(1);
    MetaStep step(resolved.config, setup.learner, setup.train_shape, family, pool, {}, &rank);
    const MetaStepResult result = step.run(0);
    EXPECT_EQ(result.nonfinite, 1);
    EXPECT_TRUE(all_finite(step.state().theta.as<float>()));
    EXPECT_EQ(step.state().updates, 1);
  });
}

}  // namespace
}  // namespace outerloop::train
