// Jobs on threads and on ranks that are threads: the same bytes whoever ran what when.

#include "outerloop/farm/run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "farm/toy_job.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"
#include "outerloop/farm/journal.h"
#include "outerloop/farm/status.h"

namespace outerloop::farm {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

void sleep(int ms) {
  std::this_thread::sleep_for(milliseconds(ms));
}

class FarmRun : public testing::Test {
 protected:
  FarmRun() { finish(folder_ / "whole.h5"); }

  // Alone, on one thread.
  Outcome finish(const fs::path& journal, const Shard& shard = {}) {
    ToyJob job(cells_);
    ThreadPool pool(1);
    return run(job, pool, {.journal = journal, .shard = shard});
  }
  std::string whole() const { return read_file(folder_ / "whole.h5"); }

  // On so many ranks with so many threads each, all with the job that `make` gives for a rank.
  template <class Make>
  std::vector<Outcome> run_on(int ranks, int threads, const RunOptions& options, Make&& make,
                              const std::function<std::string(int rank)>& asks = {}) {
    std::vector<Outcome> outcomes(static_cast<size_t>(ranks));
    comm::run_ranks(ranks, [&](comm::Communicator& all) {
      ToyJob job = make(all.rank());
      ThreadPool pool(threads);
      RunOptions own = options;
      if (asks) own.stop_requested = [&] { return asks(all.rank()); };
      outcomes[static_cast<size_t>(all.rank())] = run(job, all, pool, own);
    });
    return outcomes;
  }

  size_t cells_ = 57;
  TemporaryFolder folder_;
};

TEST_F(FarmRun, KeepsResultsInMemoryWhereNoJournalIsNamed) {
  ToyJob job(cells_);
  ThreadPool pool(2);
  const Outcome outcome = run(job, pool, {});
  EXPECT_TRUE(outcome.results.complete());
  EXPECT_EQ(outcome.stopped, "");
  for (size_t cell = 0; cell < cells_; ++cell) {
    const double expected = job.value(cell, 1);
    EXPECT_EQ(std::memcmp(&outcome.results.values(cell)[1], &expected, 8), 0);
  }
}

TEST_F(FarmRun, GivesTheSameBytesOnAnyRanksAndThreads) {
  for (const int ranks : {1, 2, 3, 8}) {
    for (const int threads : {1, 2}) {
      const fs::path journal = folder_ / fmt::format("{}x{}.h5", ranks, threads);
      std::mutex mutex;
      std::multiset<size_t> ran;
      const auto outcomes = run_on(ranks, threads, {.journal = journal}, [&](int rank) {
        ToyJob job(cells_);
        job.before = [&, rank](size_t cell, int) {
          sleep(static_cast<int>((cell * 7 + static_cast<size_t>(rank)) % 3));
          const std::lock_guard lock(mutex);
          ran.insert(cell);
        };
        return job;
      });
      EXPECT_EQ(read_file(journal), whole()) << ranks << " ranks, " << threads << " threads";
      EXPECT_EQ(ran.size(), cells_) << "each cell once";
      for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.stopped, "");
      EXPECT_TRUE(outcomes[0].results.complete());
      EXPECT_FALSE(fs::exists(journal.string() + ".live"));
    }
  }
}

TEST_F(FarmRun, GoesOnAfterThreeInterruptionsWithTheSameBytes) {
  const fs::path journal = folder_ / "stopped.h5";
  std::atomic<int> ran = 0;
  for (int part = 1; part <= 4; ++part) {
    const int ranks = 1 + part % 3;
    RunOptions options{.journal = journal};
    if (part < 4) options.stop_requested = [&] { return ran >= 8 * part ? "SIGTERM" : ""; };
    const auto outcomes = run_on(ranks, 1 + part % 2, options, [&](int) {
      ToyJob job(cells_);
      job.before = [&](size_t, int) {
        sleep(40);
        ++ran;
      };
      return job;
    });
    for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.stopped, part < 4 ? "SIGTERM" : "");
    const Outcome& first = outcomes[0];
    EXPECT_EQ(first.progress.done, ran) << "nothing that was finished is lost";
    EXPECT_EQ(read_journal(journal).results.done(), ran);
  }
  EXPECT_EQ(ran, static_cast<int>(cells_));
  EXPECT_EQ(read_file(journal), whole());
}

TEST_F(FarmRun, AStopThatOneOtherRankHearsEndsAll) {
  const fs::path journal = folder_ / "follower.h5";
  std::atomic<int> ran = 0;
  const auto slow = [&](int) {
    ToyJob job(cells_);
    job.before = [&](size_t, int) {
      sleep(40);
      ++ran;
    };
    return job;
  };
  const auto outcomes = run_on(3, 1, {.journal = journal}, slow, [&](int rank) {
    return std::string(rank == 1 && ran >= 6 ? "SIGTERM" : "");
  });
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.stopped, "SIGTERM");
  EXPECT_LT(read_journal(journal).results.done(), cells_);
  finish(journal);
  EXPECT_EQ(read_file(journal), whole());
}

TEST_F(FarmRun, ShardsMakeTheWhole) {
  std::vector<fs::path> journals;
  for (int64_t i = 0; i < 4; ++i) {
    journals.push_back(folder_ / fmt::format("shard-{}.h5", i));
    const Outcome outcome = finish(journals.back(), {.index = i, .count = 4});
    EXPECT_EQ(outcome.progress.done, i == 0 ? 15 : 14);
    EXPECT_EQ(outcome.progress.cells, outcome.progress.done);
  }
  merge_journals(folder_ / "merged.h5", journals);
  EXPECT_EQ(read_file(folder_ / "merged.h5"), whole());
  // A shard beyond the last cell has nothing to do.
  EXPECT_EQ(finish(folder_ / "none.h5", {.index = 99, .count = 100}).progress.cells, 0);
}

// Rank 1 sits on its first cell for longer than a lease; another rank runs it.
TEST_F(FarmRun, AWorkerThatHangsCostsItsLeaseAlone) {
  const fs::path journal = folder_ / "hung.h5";
  std::mutex mutex;
  std::multiset<size_t> ran;
  std::atomic<bool> done_without = false;
  run_on(3, 1, {.journal = journal, .lease = milliseconds(100)}, [&](int rank) {
    ToyJob job(cells_);
    job.before = [&, rank, first = true](size_t cell, int) mutable {
      if (rank == 1 && first) {
        first = false;
        for (int i = 0; i < 100 && !done_without; ++i) {
          sleep(50);
          done_without = read_journal(journal).results.has(cell);
        }
      } else {
        sleep(5);
      }
      const std::lock_guard lock(mutex);
      ran.insert(cell);
    };
    return job;
  });
  EXPECT_TRUE(done_without);
  EXPECT_GT(ran.size(), cells_) << "its cell twice";
  EXPECT_LE(ran.size(), cells_ + 2) << "and the one that waited there";
  EXPECT_EQ(read_file(journal), whole());
}

// Rank 1 is at its first cell for as long as another waits, so it must not hold the next one.
TEST_F(FarmRun, TheLastCellsGoToThoseWhoHaveNone) {
  cells_ = 4;
  std::atomic<int> ran = 0;
  std::atomic<bool> others_ran = true;
  run_on(2, 1, {}, [&](int rank) {
    ToyJob job(cells_);
    job.before = [&, rank](size_t, int) {
      if (rank == 0) {
        sleep(20);
      } else {
        for (int i = 0; i < 500 && ran < 3; ++i) sleep(10);
        others_ran = others_ran && ran == 3;
      }
      ++ran;
    };
    return job;
  });
  EXPECT_TRUE(others_ran);
  EXPECT_EQ(ran, 4);
}

TEST_F(FarmRun, AFailingCellEndsAllRanksWithItsKeyAndKeepsTheOthers) {
  const fs::path journal = folder_ / "failed.h5";
  for (const int ranks : {1, 2}) {
    const auto attempt = [&] {
      run_on(ranks, 1, {.journal = journal}, [&](int rank) {
        ToyJob job(cells_);
        job.before = [=](size_t cell, int) {
          sleep(1);
          if (cell >= 20 && rank == ranks - 1) throw BadInput("no such column");
        };
        return job;
      });
    };
    try {
      attempt();
      FAIL() << "nothing was thrown";
    } catch (const BadInput& error) {
      const std::string said = error.what();
      EXPECT_NE(said.find(": no such column"), said.npos) << said;
      EXPECT_NE(said.find("task="), said.npos) << said;
      EXPECT_EQ(said.starts_with("rank 1 on "), ranks == 2) << said;
      EXPECT_EQ(dynamic_cast<const comm::Agreed*>(&error) != nullptr, ranks == 2);
    }
    EXPECT_GE(read_journal(journal).results.done(), 20);
  }
  finish(journal);
  EXPECT_EQ(read_file(journal), whole());
}

TEST_F(FarmRun, ACellMayGiveUpWhenAStopIsRequested) {
  const fs::path journal = folder_ / "gave_up.h5";
  std::atomic<bool> stop = false;
  for (const int ranks : {1, 2}) {
    stop = false;
    RunOptions options{.journal = journal};
    options.stop_requested = [&] { return stop ? "SIGINT" : ""; };
    const auto outcomes = run_on(ranks, 1, options, [&](int) {
      ToyJob job(cells_);
      job.before = [&](size_t cell, int) {
        if (cell < 30) return;
        stop = true;
        throw Stopped();
      };
      return job;
    });
    EXPECT_EQ(outcomes[0].stopped, "SIGINT");
    EXPECT_EQ(read_journal(journal).results.done(), 30);
  }
}

TEST_F(FarmRun, StopsAtMaxWall) {
  ToyJob job(1000);
  job.before = [](size_t, int) { sleep(20); };
  ThreadPool pool(1);
  const Outcome outcome =
      run(job, pool, {.journal = folder_ / "slow.h5", .max_wall = std::chrono::seconds(1)});
  EXPECT_EQ(outcome.stopped, "--max-wall");
  EXPECT_GT(outcome.progress.done, 10);
  EXPECT_LT(outcome.progress.done, 100);
}

TEST_F(FarmRun, RefusesAJobWithoutCells) {
  ToyJob job(0);
  ThreadPool pool(1);
  EXPECT_THROW(run(job, pool, {}), BadInput);
}

TEST_F(FarmRun, AnotherJobOnSomeRanksIsRefusedByAll) {
  EXPECT_THROW(run_on(3, 1, {}, [&](int rank) { return ToyJob(cells_, rank == 1 ? "a" : "b"); }),
               comm::AgreedBadInput);
}

TEST_F(FarmRun, StatusTellsOfARunThatIsUnderWay) {
  const fs::path journal = folder_ / "watched.h5";
  std::string during;
  ToyJob job(cells_);
  job.before = [&](size_t cell, int) {
    sleep(10);
    if (cell != 50) return;
    for (int i = 0; i < 500 && during.find("left") == during.npos; ++i) {
      sleep(10);
      during = describe_status(journal);
    }
  };
  ThreadPool pool(1);
  run(job, pool, {.journal = journal});
  EXPECT_NE(during.find("watched.h5: job toy ("), during.npos) << during;
  EXPECT_NE(during.find("50 of 57 cells done (87.7%)"), during.npos) << during;
  EXPECT_EQ(during.find("done"), during.rfind("done")) << "one count: " << during;
  EXPECT_NE(during.find("running on "), during.npos) << during;
  EXPECT_NE(during.find(" cells/s, "), during.npos) << during;
  EXPECT_NE(describe_status(journal).find("57 of 57 cells done (100.0%)\ncomplete"),
            std::string::npos);
  finish(folder_ / "part.h5", {.index = 0, .count = 2});
  EXPECT_NE(describe_status(folder_ / "part.h5").find("29 of 57 cells done (50.9%)\nnot running"),
            std::string::npos);
}

}  // namespace
}  // namespace outerloop::farm
