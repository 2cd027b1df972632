// Runs that are stopped, killed and resumed, as processes.

#include <fmt/format.h>

#include <fstream>
#include <random>

#include "cli/call.h"
#include "cli/process.h"
#include "cli/program.h"
#include "io/temporary_folder.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/train/run_folder.h"
#include "support/message_of.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;
using train::RunFolder;

const std::string kSinusoid = OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml";

class StoppedRun : public testing::Test {
 protected:
  Words command(const std::string& name, int64_t iterations, const Words& more = {}) const {
    return settled(Words{"train", kSinusoid, "run_dir=" + (folder_ / name).string(),
                         fmt::format("outer.iterations={}", iterations), "outer.meta_batch=3",
                         "validation.every=3000", "validation.tasks=20", "test.tasks=20",
                         "checkpoint.every=400", "log.every_iterations=50", "report.write=false"} +
                   more);
  }
  fs::path newest(const std::string& name) const {
    return checkpoint::Store::open_read(folder_ / name / "ckpt").list().back().file;
  }
  // The iteration of the newest checkpoint; -1 if there is none.
  int64_t reached(const std::string& name) const {
    if (!fs::exists(folder_ / name / "ckpt")) return -1;
    const auto files = checkpoint::Store::open_read(folder_ / name / "ckpt").list();
    return files.empty() ? -1 : files.back().iteration;
  }
  bool has_begun(const std::string& name) const {
    std::error_code none;
    return fs::file_size(RunFolder{folder_ / name}.metrics(), none) > 0 && !none;
  }

  // The run goes on to its end, which is that of a run that nobody stopped.
  void expect_the_same_end(const std::string& name, int64_t iterations, const Words& more = {}) {
    const Ended rest = run_process(command(name, iterations, more));
    EXPECT_EQ(rest.code, kDone) << rest.error;
    const Ended whole = run_process(command("whole", iterations, more));
    EXPECT_EQ(whole.code, kDone) << whole.error;
    EXPECT_EQ(newest(name).filename(), newest("whole").filename());
    EXPECT_EQ(read_file(newest(name)), read_file(newest("whole")));
  }

  void expect_stopped(const Ended& ended, const std::string& name, const std::string& by) {
    EXPECT_EQ(ended.code, kStopped) << ended.error;
    EXPECT_CONTAINS(ended.error, "stopped by " + by);
    const int64_t iteration = checkpoint::read_checkpoint(newest(name)).iteration;
    EXPECT_CONTAINS(ended.error, fmt::format(" at iteration {} with a checkpoint\n", iteration));
    EXPECT_CONTAINS(ended.error, fmt::format("goes on from iteration {}\n", iteration));
    EXPECT_FALSE(fs::exists(RunFolder{folder_ / name}.stop_file()));
    EXPECT_FALSE(fs::exists(RunFolder{folder_ / name}.summary()));
  }

  TemporaryFolder folder_;
};

class SignalledRun : public StoppedRun, public testing::WithParamInterface<int> {};

TEST_P(SignalledRun, EndsWithACheckpointAndGoesOnToTheByte) {
  Process process(command("run", 6000));
  ASSERT_TRUE(process.await([this] { return has_begun("run"); }));
  process.kill(GetParam());
  expect_stopped(process.wait(), "run", fmt::format("SIG{}", sigabbrev_np(GetParam())));
  expect_the_same_end("run", 6000);
}

INSTANTIATE_TEST_SUITE_P(All, SignalledRun, testing::Values(SIGINT, SIGTERM, SIGUSR1),
                         [](const auto& one) { return sigabbrev_np(one.param); });

// Ctrl-C ends what reads the messages, too, as in `outerloop train … 2>&1 | tee log`.
TEST_F(StoppedRun, BySignalThoughNobodyReadsItsMessages) {
  Process process(command("run", 1'000'000'000), [] { return point_at_unread_pipe(2); });
  ASSERT_TRUE(process.await([this] { return has_begun("run"); }));
  process.kill(SIGINT);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.code, kStopped) << "signal " << ended.signal;
  EXPECT_GT(reached("run"), 0);
}

TEST_F(StoppedRun, ByTheStopCommand) {
  Process process(command("run", 1'000'000'000));
  ASSERT_TRUE(process.await([this] { return has_begun("run"); }));
  const Result stop = call({"stop", (folder_ / "run").string()});
  EXPECT_EQ(stop.code, kDone) << stop.error;
  expect_stopped(process.wait(), "run", "the STOP file");
}

// The run is made of pieces that end in different ways, on different numbers of threads.
TEST_F(StoppedRun, ByItsTimeAndInPieces) {
  constexpr int64_t kIterations = 100'000;
  const Ended first =
      run_process(command("run", kIterations, {"--max-wall", "1s", "runtime.threads=2"}));
  expect_stopped(first, "run", "--max-wall");
  const int64_t begun = reached("run");
  Process second(command("run", kIterations, {"runtime.threads=4"}));
  ASSERT_TRUE(second.await([&] { return reached("run") > begun; }));
  second.kill(SIGTERM);
  expect_stopped(second.wait(), "run", "SIGTERM");
  expect_the_same_end("run", reached("run") + 1000);
}

TEST_F(StoppedRun, ARequestThatCameDuringTheStartIsHeard) {
  Process process(command("run", 1'000'000'000));
  ASSERT_TRUE(process.await([this] { return fs::exists(folder_ / "run/.lock"); }));
  Result stop;
  do {
    stop = call({"stop", (folder_ / "run").string()});
  } while (stop.code != kDone);  // until the folder has its config
  expect_stopped(process.wait(), "run", "the STOP file");
}

// An iteration of minutes, so that the second signal comes inside it.
TEST_F(StoppedRun, ASecondSignalEndsItAtOnce) {
  Words words = command("run", 10);
  std::ranges::replace(words, std::string("outer.meta_batch=3"),
                       std::string("outer.meta_batch=1000000"));
  Process process(words + Words{"tasks.shots=200", "tasks.queries=200"});
  ASSERT_TRUE(process.await([this] { return fs::exists(RunFolder{folder_ / "run"}.metrics()); }));
  std::this_thread::sleep_for(std::chrono::seconds(1));  // from there into the iteration
  process.kill(SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  process.kill(SIGTERM);
  EXPECT_EQ(process.wait().signal, SIGTERM);
}

// Kills at any moment: in the start, in iterations, in writing a checkpoint, in removing old ones.
TEST_F(StoppedRun, KilledAgainAndAgainItLosesNoCheckpointAndReachesTheSameEnd) {
  constexpr int kKills = 60;
  const Words words = command("run", 1'000'000'000,
                              {"checkpoint.every=20", "checkpoint.keep_last=1",
                               "validation.every=100", "runtime.threads=1"});
  std::mt19937 random(3);
  int64_t before = 0;
  int advanced = 0;
  int torn = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    Process process(words);
    // Half of them while the program starts, half once it is under way.
    if (kill % 2 == 0) {
      ASSERT_TRUE(process.await([&] { return reached("run") > before; })) << process.wait().error;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 100'000));
    process.kill(SIGKILL);
    const Ended killed = process.wait();
    ASSERT_EQ(killed.signal, SIGKILL) << killed.error;
    EXPECT_EQ(killed.error.find("skipped"), std::string::npos) << killed.error;
    if (!fs::exists(folder_ / "run/ckpt")) continue;
    for (const auto& entry : fs::directory_iterator(folder_ / "run/ckpt")) {
      torn += entry.path().filename().string().starts_with(".tmp-");
    }
    std::string skipped;
    const auto newest = checkpoint::Store::open_read(folder_ / "run/ckpt")
                            .load_newest([&](const std::string& text) { skipped += text; });
    EXPECT_EQ(skipped, "");
    if (!newest) continue;
    ASSERT_GE(newest->iteration, before) << "a checkpoint was lost";
    advanced += newest->iteration > before;
    before = newest->iteration;
  }
  EXPECT_GE(advanced, kKills / 2);
  EXPECT_GT(torn, 0) << "no kill fell into the writing of a checkpoint";
  const Words same{"validation.every=100"};
  expect_the_same_end("run", before + 100, same);
}

TEST_F(StoppedRun, AFinishedRunSaysSo) {
  EXPECT_EQ(run_process(command("run", 100)).code, kDone);
  const Ended again = run_process(command("run", 100));
  EXPECT_EQ(again.code, kDone);
  EXPECT_CONTAINS(again.error, "run is finished; a larger outer.iterations trains it longer\n");
  EXPECT_CONTAINS(again.out, "100 iterations in ");

  // Of this schedule it cannot be made longer.
  const Words falling{"outer.schedule=cosine"};
  EXPECT_EQ(run_process(command("falling", 100, falling)).code, kDone);
  EXPECT_CONTAINS(run_process(command("falling", 100, falling)).error, "falling is finished\n");
}

}  // namespace
}  // namespace outerloop::cli
