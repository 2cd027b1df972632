// A training on several ranks: what is wrong on one ends all with one message, a stop asked of one
// stops all at one iteration.

#include <fmt/format.h>

#include <mutex>

#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "train/runs.h"

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

}  // namespace
}  // namespace outerloop::train
