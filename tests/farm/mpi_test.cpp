// A farm run under the MPI launcher: the same bytes from any number of ranks and threads, after
// kills at any moment, stops, and with a rank that hangs.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "cli/process.h"
#include "farm/toy_job.h"
#include "outerloop/farm/journal.h"
#include "outerloop/farm/run.h"

namespace outerloop::farm {
namespace {

namespace fs = std::filesystem;
using cli::Ended;
using cli::Process;

class MpiFarm : public testing::Test {
 protected:
  MpiFarm() {
    ToyJob job(kCells);
    ThreadPool pool(1);
    run(job, pool, {.journal = folder_ / "whole.h5"});
    whole_ = read_file(folder_ / "whole.h5");
  }

  Words words(const fs::path& journal, int ranks, int threads, int ms, const Words& more) const {
    return Words{OUTERLOOP_MPIEXEC_RANKS, std::to_string(ranks),  OUTERLOOP_BINARY_DIR "/toy_farm",
                 journal.string(),        std::to_string(kCells), std::to_string(threads),
                 std::to_string(ms)} +
           more;
  }
  Ended run_on(const fs::path& journal, int ranks, int threads, int ms,
               const Words& more = {"60000"}) const {
    return Process(words(journal, ranks, threads, ms, more), {}, OUTERLOOP_MPIEXEC).wait();
  }

  static int64_t done_in(const fs::path& journal) {
    return fs::exists(journal) ? read_journal(journal).results.done() : 0;
  }

  // All ranks at once, then their launcher.
  static void kill_all(const Process& launcher, const fs::path& journal, int ranks) {
    for (int rank = 0; rank < ranks; ++rank) {
      const fs::path file = fmt::format("{}.pid-{}", journal.string(), rank);
      ::kill(std::stoi(read_file(file)), SIGKILL);
      fs::remove(file);
    }
    launcher.kill(SIGKILL);
  }

  static constexpr size_t kCells = 90;
  TemporaryFolder folder_;
  std::string whole_;
};

TEST_F(MpiFarm, GivesTheSameBytesOnAnyRanksAndThreads) {
  for (const int ranks : {1, 2, 3, 8}) {
    for (const int threads : {1, 2}) {
      const fs::path journal = folder_ / fmt::format("{}x{}.h5", ranks, threads);
      const Ended ended = run_on(journal, ranks, threads, 1);
      ASSERT_EQ(ended.code, 0) << ended.error;
      EXPECT_EQ(read_file(journal), whole_) << ranks << " ranks, " << threads << " threads";
    }
  }
}

// All processes die at a random moment, time and again, on other numbers of ranks.
TEST_F(MpiFarm, GoesOnAfterKillsAtAnyMoment) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 4; ++trial) {
    const fs::path journal = folder_ / fmt::format("killed-{}.h5", trial);
    int64_t before = 0;
    for (int part = 0; part < 3; ++part) {
      const int ranks = 1 + static_cast<int>(random() % 3);
      const int64_t enough = before + 1 + static_cast<int64_t>(random() % 20);
      Process process(words(journal, ranks, 1, 8, {"60000"}), {}, OUTERLOOP_MPIEXEC);
      ASSERT_TRUE(process.await([&] { return done_in(journal) >= enough; }));
      kill_all(process, journal, ranks);
      process.wait();
      const int64_t after = done_in(journal);
      EXPECT_GE(after, enough) << "what was there stays";
      before = after;
    }
    const Ended ended = run_on(journal, 2, 2, 1);
    ASSERT_EQ(ended.code, 0) << ended.error;
    EXPECT_EQ(read_file(journal), whole_);
  }
}

TEST_F(MpiFarm, StopsOnASignalWithAllThatIsFinished) {
  const fs::path journal = folder_ / "stopped.h5";
  Process process(words(journal, 3, 1, 100, {"60000"}), {}, OUTERLOOP_MPIEXEC);
  ASSERT_TRUE(process.await([&] { return done_in(journal) > 9; }));
  process.kill(SIGUSR1);  // which the launcher passes on
  const Ended ended = process.wait();
  EXPECT_EQ(ended.code, 75) << ended.error;
  EXPECT_LT(done_in(journal), static_cast<int64_t>(kCells));
  EXPECT_EQ(run_on(journal, 2, 1, 1).code, 0);
  EXPECT_EQ(read_file(journal), whole_);
}

// Rank 1 is stopped in the middle of a cell and never comes back.
TEST_F(MpiFarm, EndsWithoutARankThatHangs) {
  const fs::path journal = folder_ / "hung.h5";
  Process process(words(journal, 3, 1, 5, {"500", "1"}), {}, OUTERLOOP_MPIEXEC);
  const fs::path hung = journal.string() + ".hung";
  ASSERT_TRUE(process.await([&] { return fs::exists(hung); }));
  EXPECT_EQ(read_file(hung), "1");
  EXPECT_EQ(read_file(journal), whole_);
  // Open MPI 4.1 does not always get over the end of a stopped process.
  kill_all(process, journal, 3);
}

}  // namespace
}  // namespace outerloop::farm
