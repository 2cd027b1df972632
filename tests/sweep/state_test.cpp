#include "outerloop/sweep/state.h"

#include <nlohmann/json.hpp>

#include "outerloop/base/file_lock.h"
#include "outerloop/checkpoint/checkpoint.h"
#include "support/message_of.h"
#include "sweep/sweep_folder.h"
#include "sweep/training.h"

namespace outerloop::sweep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpoint = "ckpt-000000001.h5";

class StateTest : public SweepTest {
 protected:
  StateTest() : plan_(plan("seeds: 2\n")), point_(plan_.points[0]), run_(sweep_.run(point_)) {
    fs::create_directories(sweep_.state());
  }
  // The files that a finished training leaves and that are looked at.
  void finish() {
    fs::create_directories(run_.checkpoints());
    std::ofstream(run_.checkpoints() / kCheckpoint) << "content";
    const std::string hash = checkpoint::content_hash(run_.checkpoints() / kCheckpoint);
    const std::string earlier_place = std::string("/elsewhere/ckpt/") + kCheckpoint;
    summary_ = {{"config_hash", point_.hash},
                {"final_checkpoint", earlier_place},
                {"final_content_hash", hash},
                {"checkpoint", earlier_place},
                {"content_hash", hash}};
    write_summary();
  }
  void write_summary() { std::ofstream(run_.summary()) << summary_.dump(); }
  void fail(const std::string& error) {
    std::ofstream(sweep_.failure(point_)) << nlohmann::json{{"code", 1}, {"error", error}}.dump();
  }
  State state() { return state_of(sweep_, point_).state; }

  Plan plan_;
  const Point& point_;
  train::RunFolder run_;
  nlohmann::json summary_;
};

TEST_F(StateTest, APointWithoutAFolderWaits) {
  EXPECT_EQ(state(), State::waiting);
}

TEST_F(StateTest, APointWithCheckpointsAloneIsInterrupted) {
  fs::create_directories(run_.checkpoints());
  EXPECT_EQ(state(), State::interrupted);
}

TEST_F(StateTest, AResultThatVerifiesIsDone) {
  finish();
  EXPECT_EQ(why_not_done(sweep_, point_), std::nullopt);
  EXPECT_EQ(state(), State::done);
}

TEST_F(StateTest, AResultOfAnotherConfigIsNotDone) {
  finish();
  summary_["config_hash"] = plan_.points[1].hash;
  write_summary();
  EXPECT_EQ(state(), State::interrupted);
}

TEST_F(StateTest, AResultWhoseCheckpointHasChangedIsNotDone) {
  for (const char* key : {"content_hash", "final_content_hash"}) {
    finish();
    summary_[key] = std::string(64, '0');
    write_summary();
    EXPECT_EQ(state(), State::interrupted) << key;
  }
  finish();
  std::ofstream(run_.checkpoints() / kCheckpoint, std::ios::app) << "!";
  EXPECT_EQ(state(), State::interrupted);
}

TEST_F(StateTest, AResultWhoseCheckpointIsMissingOrThatIsTornIsNotDone) {
  finish();
  fs::remove(run_.checkpoints() / kCheckpoint);
  EXPECT_EQ(state(), State::interrupted);
  finish();
  std::ofstream(run_.summary()) << summary_.dump().substr(0, 40);
  EXPECT_EQ(state(), State::interrupted);
}

TEST_F(StateTest, ALeaseExcludesOtherWorkersUntilItEndsAndALookDoesNot) {
  {
    const auto lease = FileLock::take(sweep_.lease(point_));
    ASSERT_TRUE(lease);
    EXPECT_EQ(state(), State::running);
    EXPECT_FALSE(FileLock::take(sweep_.lease(point_)));
    EXPECT_TRUE(FileLock::take(sweep_.lease(plan_.points[1])));
  }
  EXPECT_EQ(state(), State::waiting);
  EXPECT_TRUE(FileLock::take(sweep_.lease(point_)));
}

TEST_F(StateTest, FailedPointsAreListedUntilTheyAreRetried) {
  fs::create_directories(run_.checkpoints());
  fail("error: no space");
  const auto states = states_of(sweep_, plan_);
  EXPECT_EQ(describe(plan_, states),
            "2 points: 0 done, 1 failed, 0 running, 0 interrupted, 1 waiting\n"
            "point 0 (seed=0): error: no space\n");
  EXPECT_EQ(retry_failed(sweep_, plan_, false), 1);
  EXPECT_EQ(state(), State::interrupted);
  fail("error: again");
  EXPECT_EQ(retry_failed(sweep_, plan_, true), 1);
  EXPECT_EQ(state(), State::waiting);
}

TEST_F(StateTest, AFailureThatCannotBeRemovedIsNamed) {
  fs::create_directories(sweep_.failure(point_) / "a folder that is not empty");
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { retry_failed(sweep_, plan_, false); }),
                  ".failed.json: cannot be removed: ");
}

TEST_F(StateTest, AResultIsDiscardedWithItsCheckpointsWhereTheyAreDamaged) {
  EXPECT_EQ(discard_result(sweep_, point_), std::nullopt);
  finish();
  std::ofstream(run_.summary()) << "torn";
  EXPECT_EQ(discard_result(sweep_, point_), std::nullopt);
  EXPECT_FALSE(fs::exists(run_.summary()));
  EXPECT_TRUE(fs::exists(run_.checkpoints() / kCheckpoint));
  finish();
  std::ofstream(run_.checkpoints() / kCheckpoint, std::ios::app) << "!";
  const auto damage = discard_result(sweep_, point_);
  ASSERT_TRUE(damage);
  EXPECT_CONTAINS(*damage, "its content is not what summary.json names");
  EXPECT_FALSE(fs::exists(run_.summary()));
  EXPECT_FALSE(fs::exists(run_.checkpoints() / kCheckpoint));
}

TEST(FirstError, IsTheFirstErrorLineElseTheLastLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"warning: slow\nerror: disk\nerror: more\n", "error: disk"},
      {"one\ntwo\n\n", "two"},
  };
  for (const auto& [said, line] : cases) EXPECT_EQ(first_error(said), line);
}

}  // namespace
}  // namespace outerloop::sweep
