// outerloop supervise, over commands whose ends are written down beforehand.

#include <fmt/format.h>

#include <csignal>

#include "cli/call.h"
#include "cli/process.h"
#include "cli/program.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

// A command whose n-th start ends with the n-th of `codes`; it adds a line to `starts` each time.
Words command_with(const fs::path& starts, const std::string& codes) {
  const std::string script =
      fmt::format("echo start >> {0}; n=$(wc -l < {0}); set -- {1}; shift $((n - 1)); exit $1",
                  starts.string(), codes);
  return {"--", "sh", "-c", script};
}

struct SuperviseCase {
  const char* name;
  const char* codes;
  int code;
  int starts;
  const char* said;
};

class Supervised : public testing::TestWithParam<SuperviseCase> {
 protected:
  TemporaryFolder folder_;
};

TEST_P(Supervised, IsStartedAgainUntilItsEnd) {
  const SuperviseCase& c = GetParam();
  const fs::path starts = folder_ / "starts";
  const Ended ended = run_process(Words{"supervise", "--retries", "2", "--pause", "0s"} +
                                  command_with(starts, c.codes));
  EXPECT_EQ(ended.code, c.code) << ended.error;
  EXPECT_EQ(std::ranges::count(read_file(starts), '\n'), c.starts);
  EXPECT_TRUE(contains(ended.error, c.said)) << ended.error;
}

INSTANTIATE_TEST_SUITE_P(
    All, Supervised,
    testing::Values(SuperviseCase{"Done", "0", kDone, 1, ""},
                    SuperviseCase{"BadInput", "2 0", kBadInput, 1, ""},
                    SuperviseCase{"Failures", "1 139 0", kDone, 3,
                                  "exit code 139; starting it again in 0s (2 of 2)\n"},
                    SuperviseCase{"TooManyFailures", "1 1 7 0", 7, 3,
                                  "exit code 7, and 2 new starts did not help\n"},
                    SuperviseCase{"Stops", "75 75 75 75 0", kDone, 5,
                                  "it stopped with a checkpoint; starting it again\n"},
                    // A stop begins the count anew.
                    SuperviseCase{"FailuresBetweenStops", "1 1 75 1 1 0", kDone, 6, "(2 of 2)"}),
    [](const auto& one) { return one.param.name; });

// Daemons that ignore the ends of their children start commands that inherit this.
TEST(SupervisedSignal, WhereItIsIgnoredTheEndIsHeardAllTheSame) {
  const std::string script = "trap '' CHLD; exec " OUTERLOOP_BINARY_DIR
                             "/outerloop supervise --retries 0 -- sh -c 'exit 7'";
  EXPECT_EQ(run_process({"supervise", "--retries", "0", "--", "sh", "-c", script}).code, 7);
}

TEST(SupervisedSignal, KillsByASignalCountAsFailures) {
  const Ended ended = run_process({"supervise", "--retries", "0", "--", "sh", "-c", "kill -9 $$"});
  EXPECT_EQ(ended.code, 128 + SIGKILL) << ended.error;
}

TEST(SupervisedSignal, GoesToTheCommandWhoseEndIsTheLast) {
  const TemporaryFolder folder;
  const std::string ready = (folder / "ready").string();
  Process process(
      {"supervise", "--", "sh", "-c",
       fmt::format("trap 'exit 75' USR1; touch {}; while :; do sleep 0.05; done", ready)});
  ASSERT_TRUE(process.await([&] { return fs::exists(ready); }));
  process.kill(SIGUSR1);
  EXPECT_EQ(process.wait().code, kStopped);
}

TEST(SupervisedSignal, EndsAPause) {
  const TemporaryFolder folder;
  const std::string ready = (folder / "ready").string();
  Process process({"supervise", "--pause", "1h", "--", "sh", "-c",
                   fmt::format("trap '' TERM; touch {}; exit 1", ready)});
  ASSERT_TRUE(process.await([&] { return fs::exists(ready); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the command has ended
  process.kill(SIGTERM);
  EXPECT_EQ(process.wait().code, kFailed);
}

TEST(SuperviseCommand, RefusesWhatCannotBeStarted) {
  const Result result = call({"supervise", "--", "/no/such/program"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_EQ(result.error, "error: cannot start '/no/such/program': No such file or directory\n");
}

TEST(SuperviseCommand, RefusesABadPause) {
  EXPECT_EQ(call({"supervise", "--pause", "soon", "--", "true"}).code, kBadInput);
}

}  // namespace
}  // namespace outerloop::cli
