// Runs on several ranks of which one is stopped or killed.

#include <fmt/format.h>

#include <fstream>

#include "cli/call.h"
#include "cli/process.h"
#include "cli/program.h"
#include "outerloop/checkpoint/store.h"
#include "support/message_of.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

class WatchedTraining : public testing::Test {
 protected:
  Words train(const std::string& name, int64_t iterations) const {
    return {"train",
            OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml",
            "run_dir=" + (folder_ / name).string(),
            fmt::format("outer.iterations={}", iterations),
            "outer.meta_batch=4",
            "validation.every=0",
            "test.tasks=20",
            "checkpoint.every=100",
            "report.write=false",
            "runtime.threads=1"};
  }
  fs::path checkpoints(const std::string& name) const { return folder_ / name / "ckpt"; }

  TemporaryFolder folder_;
};

// What the launcher gave one of its processes.
bool is_rank(const fs::path& process, pid_t parent, int rank) {
  std::ifstream stat(process / "stat");
  std::string number, name, state;
  pid_t of = 0;
  stat >> number >> name >> state >> of;
  std::ifstream file(process / "environ");
  const std::string variables{std::istreambuf_iterator<char>(file), {}};
  return of == parent &&
         variables.find(fmt::format("OMPI_COMM_WORLD_RANK={}", rank) + '\0') != std::string::npos;
}

// 0: none.
pid_t find_rank(pid_t launcher, int rank) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (is_rank(entry.path(), launcher, rank)) return static_cast<pid_t>(std::stol(name));
  }
  return 0;
}

struct Fault {
  const char* name;
  std::vector<int> ranks;
  int signal;
  int code;
  const char* said;
};

class FailedRank : public WatchedTraining, public testing::WithParamInterface<Fault> {};

TEST_P(FailedRank, EndsTheRunWithOneLineAndTheNextStartGoesOn) {
  const Fault& fault = GetParam();
  const Words launch{"-q", "-np", "5", OUTERLOOP_BINARY_DIR "/outerloop"};
  Process process(launch + train("run", 1'000'000'000) + Words{"--rank-silence", "3s"}, {},
                  OUTERLOOP_MPIEXEC);
  const auto saved = [this] {
    return fs::exists(checkpoints("run")) &&
           !checkpoint::Store::open_read(checkpoints("run")).list().empty();
  };
  ASSERT_TRUE(process.await(saved)) << process.wait().error;
  std::vector<pid_t> processes;
  for (const int rank : fault.ranks) {
    processes.push_back(find_rank(process.id(), rank));
    ASSERT_GT(processes.back(), 0);
  }
  const auto failed_at = std::chrono::steady_clock::now();
  for (const pid_t failing : processes) kill(failing, fault.signal);
  const Ended ended = process.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - failed_at, std::chrono::seconds(60));
  EXPECT_EQ(ended.code, fault.code) << ended.error;
  const size_t line = ended.error.find("error: ");
  ASSERT_NE(line, std::string::npos) << ended.error;
  EXPECT_EQ(ended.error.find("error: ", line + 1), std::string::npos) << ended.error;
  EXPECT_TRUE(std::ranges::any_of(fault.ranks, [&](int rank) {
    return ended.error.substr(line).starts_with(fmt::format("error: rank {} on ", rank));
  })) << ended.error;
  const std::string said = ended.error.substr(line);
  EXPECT_TRUE(contains(said, fault.said)) << said;
  // A signal may also come when the rank is in the collective already.
  EXPECT_TRUE(fault.signal == SIGKILL || contains(said, "; it did not enter ") ||
              contains(said, "; it was in "))
      << said;

  const int64_t reached = checkpoint::Store::open_read(checkpoints("run")).list().back().iteration;
  for (const char* name : {"run", "whole"}) {
    const Ended rest = run_process(train(name, reached + 50));
    ASSERT_EQ(rest.code, kDone) << rest.error;
  }
  const std::string file =
      checkpoint::Store::open_read(checkpoints("run")).list().back().file.filename().string();
  EXPECT_EQ(read_file(checkpoints("run") / file), read_file(checkpoints("whole") / file));
}

constexpr const char* kSilent = "gave no sign of life for 3 s; it ";
constexpr const char* kGone = "is gone: it was killed, or its host is dead; ";

// The first rank is the one that the others report to, the second its deputy.
INSTANTIATE_TEST_SUITE_P(All, FailedRank,
                         testing::Values(Fault{"StoppedFirst", {0}, SIGSTOP, kFailed, kSilent},
                                         Fault{"Stopped", {2}, SIGSTOP, kFailed, kSilent},
                                         Fault{"StoppedBoth", {0, 1}, SIGSTOP, kFailed, kSilent},
                                         Fault{"KilledFirst", {0}, SIGKILL, 128 + SIGKILL, kGone},
                                         Fault{"Killed", {2}, SIGKILL, 128 + SIGKILL, kGone},
                                         Fault{
                                             "KilledBoth", {0, 1}, SIGKILL, 128 + SIGKILL, kGone}),
                         [](const auto& one) { return one.param.name; });

int64_t bytes_read_by(pid_t process) {
  std::ifstream io(fs::path("/proc") / std::to_string(process) / "io");
  std::string name;
  int64_t bytes = 0;
  io >> name >> bytes;
  return bytes;
}

// Of a table that takes a while to read.
TEST(WatchedImportance, ARankThatIsStoppedWhileItLoadsEndsTheRunWithOneLine) {
  const TemporaryFolder folder;
  std::string table = "a,b,y,note\n";
  const std::string note(400, 'x');
  for (int row = 0; row < 100'000; ++row) {
    table += fmt::format("{},{},{},{}\n", row % 7, row % 11, row % 5, note);
  }
  write_file_atomically(folder / "table.csv", table);
  std::ofstream(folder / "spec.yaml")
      << "table: table.csv\nfeatures: [a, b]\ntarget: y\nmodel: linear\nmetrics: [r2]\n";
  Process process({"-q", "-np", "3", OUTERLOOP_BINARY_DIR "/outerloop", "importance",
                   (folder / "spec.yaml").string(), "run_dir=" + (folder / "run").string(),
                   "threads=1", "--lease", "3s", "--quiet"},
                  {}, OUTERLOOP_MPIEXEC);
  pid_t loading = 0;
  const auto loads = [&] {
    if (loading == 0) loading = find_rank(process.id(), 1);
    return loading != 0 && bytes_read_by(loading) > 1'000'000;
  };
  ASSERT_TRUE(process.await(loads)) << process.wait().error;
  kill(loading, SIGSTOP);
  const Ended ended = process.wait();
  EXPECT_EQ(ended.code, kFailed) << ended.error;
  const size_t line = ended.error.find("error: rank 1 on ");
  ASSERT_NE(line, std::string::npos) << ended.error;
  EXPECT_EQ(ended.error.find("error: ", line + 1), std::string::npos) << ended.error;
  EXPECT_CONTAINS(ended.error.substr(line), "gave no sign of life for 3 s; it ");
  EXPECT_FALSE(fs::exists(folder / "run/importance.json"));
}

TEST_F(WatchedTraining, RefusesASilenceThatSlowRanksWouldKeep) {
  const Result result = call(train("run", 10) + Words{"--rank-silence", "1s"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_EQ(result.error, "error: --rank-silence and --rank-stall: expected 3s or more\n");
}

}  // namespace
}  // namespace outerloop::cli
