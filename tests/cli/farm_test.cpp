// Journals of shards in the hands of a user: status and merge.

#include <fmt/format.h>

#include "cli/call.h"
#include "farm/toy_job.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/farm/run.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

class FarmCommand : public testing::Test {
 protected:
  std::string journal(const std::string& name, const farm::Shard& shard) {
    farm::ToyJob job(10);
    ThreadPool pool(1);
    farm::run(job, pool, {.journal = folder_ / name, .shard = shard});
    return folder_ / name;
  }
  TemporaryFolder folder_;
};

TEST_F(FarmCommand, ShardsAreMergedAsTheyCome) {
  const std::string first = journal("0.h5", {.index = 0, .count = 2});
  const std::string second = journal("1.h5", {.index = 1, .count = 2});
  const std::string merged = folder_ / "merged.h5";
  Result result = call({"farm", "merge", merged, first});
  EXPECT_EQ(result.code, kStopped);
  EXPECT_EQ(result.out, merged + ": 5 of 10 cells done\n");
  EXPECT_EQ(
      result.error,
      "cells that are missing: 5, the first is task=1; a run of the job with this journal goes "
      "on from here\n");
  result = call({"farm", "merge", merged, second});
  EXPECT_EQ(result.code, kDone) << result.error;
  EXPECT_EQ(result.out, merged + ": 10 of 10 cells done\n");
  EXPECT_EQ(read_file(merged), read_file(journal("whole.h5", {})));
}

TEST_F(FarmCommand, StatusTellsOfEachJournal) {
  const std::string part = journal("part.h5", {.index = 0, .count = 5});
  const Result result = call({"farm", "status", part, journal("whole.h5", {})});
  EXPECT_EQ(result.code, kDone) << result.error;
  EXPECT_PRED2(contains, result.out, "part.h5: job toy (");
  EXPECT_PRED2(contains, result.out, "2 of 10 cells done (20.0%)\nnot running; the same command");
  EXPECT_PRED2(contains, result.out, "10 of 10 cells done (100.0%)\ncomplete\n");
}

TEST_F(FarmCommand, StatusGoesOnAfterAFileThatIsNoJournal) {
  const std::string good = journal("good.h5", {}), text = folder_ / "text.h5";
  write_file_atomically(text, "no journal\n");
  const Result result = call({"farm", "status", text, good, folder_ / "none.h5"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_PRED2(contains, result.out, "good.h5: job toy (");
  EXPECT_PRED2(contains, result.error, "error: " + text + ": is no journal of results");
  EXPECT_PRED2(contains, result.error, "none.h5: no such file\n");
}

}  // namespace
}  // namespace outerloop::cli
