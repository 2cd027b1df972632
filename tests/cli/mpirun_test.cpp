// The program under the MPI launcher: the same bytes of everything that is no training of moderate
// size (mpi_bytes_test.cpp), one message and one exit code.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/mpi_training.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

TEST(MpiImportance, GivesTheSameBytesOnAnyRanksAndThreads) {
  const TemporaryFolder folder;
  const auto run_on = [&](int ranks, int threads) {
    const fs::path run = folder / fmt::format("{}x{}", ranks, threads);
    const Words command{OUTERLOOP_MPIEXEC_RANKS,
                        std::to_string(ranks),
                        OUTERLOOP_BINARY_DIR "/outerloop",
                        "importance",
                        OUTERLOOP_SOURCE_DIR "/configs/iris_importance.yaml",
                        "run_dir=" + run.string(),
                        "repeats=40",
                        fmt::format("threads={}", threads),
                        "--quiet"};
    const Ended ended = Process(command, {}, OUTERLOOP_MPIEXEC).wait();
    EXPECT_EQ(ended.code, 0) << ended.error;
    return run;
  };
  const fs::path one = run_on(1, 1);
  for (const auto& [ranks, threads] : {std::pair{2, 1}, {3, 2}, {8, 1}}) {
    const fs::path run = run_on(ranks, threads);
    for (const char* file :
         {"journal/importance.h5", "importance.json", "importance.csv", "report.html"}) {
      EXPECT_TRUE(read_file(one / file) == read_file(run / file)) << run << file;
    }
  }
}

// As many as a small cluster has: some with two tasks, some with one, most of them waiting.
TEST(MpiRunOversubscribed, SixtyFourRanksGiveTheBytesOfOne) {
  const TemporaryFolder folder;
  const Words tiny{"model.hidden=[8, 8]", "outer.iterations=3", "outer.meta_batch=70",
                   "validation.every=2",  "validation.tasks=9", "log.every_iterations=1",
                   "test.tasks=75",       "report.write=false", "runtime.threads=1"};
  train::train(train::shipped("sinusoid_maml", folder / "one", tiny), {});
  const Ended ended = train_on(64, "sinusoid_maml", folder / "many", tiny);
  ASSERT_EQ(ended.code, 0) << ended.error;
  EXPECT_TRUE(
      same_checkpoints(newest_checkpoint(folder / "one"), newest_checkpoint(folder / "many")));
  EXPECT_EQ(lasting_metrics(folder / "one"), lasting_metrics(folder / "many"));
  EXPECT_EQ(lasting_summary(folder / "one"), lasting_summary(folder / "many"));
  EXPECT_EQ(read_file(folder / "one/hashes.bin"), read_file(folder / "many/hashes.bin"));
}

Ended call_on(int ranks, const Words& words) {
  return Process(Words{OUTERLOOP_MPIEXEC_RANKS, std::to_string(ranks),
                       OUTERLOOP_BINARY_DIR "/outerloop"} +
                     words,
                 {}, OUTERLOOP_MPIEXEC)
      .wait();
}

TEST(MpiRunBench, MeasuresAllRanksTogether) {
  const Ended comm =
      call_on(3, {"bench", "comm", "--json", "--most-bytes", "4096", "--seconds", "0.001"});
  ASSERT_EQ(comm.code, 0) << comm.error;
  EXPECT_EQ(nlohmann::json::parse(comm.out)["backend"], "mpi");
  EXPECT_EQ(nlohmann::json::parse(comm.out)["ranks"], 3);
  const Ended step =
      call_on(2, {"bench", "meta-step", "--json", "--seconds", "0.05", "--config",
                  OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml", "runtime.threads=1"});
  ASSERT_EQ(step.code, 0) << step.error;
  EXPECT_EQ(nlohmann::json::parse(step.out)["ranks"], 2);
  EXPECT_EQ(nlohmann::json::parse(step.out)["sums_by"], "mpi");
  EXPECT_GT(nlohmann::json::parse(step.out)["tasks_per_s"], 0);
}

size_t times(const std::string& what, const std::string& text) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST(MpiRunDoctor, TellsOnceWhatAllRanksFind) {
  const TemporaryFolder folder;
  const Ended ended = call_on(3, {"doctor", folder.path().string()});
  EXPECT_EQ(times("hdf5", ended.out), 1) << ended.out;
  EXPECT_LE(times("they share cores", ended.out), 1) << ended.out;  // a finding of each
  EXPECT_EQ(times("rank 0 of 3", ended.out), 1) << ended.out;
}

TEST(MpiRunErrors, OfTheCommandLineAreToldOnce) {
  const std::pair<Words, const char*> cases[] = {
      {{"train"}, "CONFIG is required"},
      {{"bench", "comm", "--most-bytes", "1"}, "--most-bytes: "},
      {{"nonsense"}, "'nonsense' is no command"},
      {{"doctor", "/no/such/folder"}, "/no/such/folder: no such folder"},
  };
  for (const auto& [words, what] : cases) {
    const Ended ended = call_on(3, words);
    EXPECT_EQ(ended.code, 2) << what;
    EXPECT_EQ(times(what, ended.error), 1) << ended.error;
  }
}

TEST(MpiRunErrors, AreToldOnceWithTheirCode) {
  const TemporaryFolder folder;
  for (const int ranks : {1, 3}) {
    const Ended ended = train_on(ranks, "sinusoid_maml", folder / "run", {"inner.rat=1"});
    EXPECT_EQ(ended.code, 2) << ended.error;
    EXPECT_EQ(times("unknown key 'inner.rat'", ended.error), 1) << ended.error;
    EXPECT_EQ(times("MPI_ABORT", ended.error), 0) << ended.error;
  }
}

// `limited`: the place of the one rank that may take 600 MB of addresses; "all": each.
Ended train_with_little_memory(const fs::path& run, int ranks, const std::string& limited) {
  const std::string script = fmt::format(
      R"([[ {0} != all && {0} != $OMPI_COMM_WORLD_RANK ]] || ulimit -v 600000; exec "$@")",
      limited);
  const Words words{OUTERLOOP_MPIEXEC_RANKS,
                    std::to_string(ranks),
                    "bash",
                    "-c",
                    script,
                    "limited",
                    OUTERLOOP_BINARY_DIR "/outerloop",
                    "train",
                    OUTERLOOP_SOURCE_DIR "/configs/sinusoid_maml.yaml",
                    "run_dir=" + run.string(),
                    "model.hidden=[4000, 4000]",
                    "runtime.threads=1"};
  return Process(words, {}, OUTERLOOP_MPIEXEC).wait();
}

TEST(MpiRunErrors, TooLittleMemoryIsToldOnceByTheRankThatHasIt) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer takes more addresses than a limit leaves";
#endif
  struct Case {
    int ranks;
    std::string limited, told;
  };
  for (const auto& [ranks, limited, told] : {Case{1, "all", "error: out of memory: a "},
                                             {2, "all", "error: out of memory: a "},
                                             {2, "0", "error: rank 0 on "},
                                             {3, "2", "error: rank 2 on "}}) {
    const TemporaryFolder folder;
    const Ended ended = train_with_little_memory(folder / "run", ranks, limited);
    EXPECT_EQ(ended.code, 1) << limited;
    EXPECT_EQ(times(told, ended.error), 1) << ended.error;
    EXPECT_EQ(times("out of memory: a ", ended.error), 1) << ended.error;
    EXPECT_EQ(times("MPI_ABORT", ended.error), 0) << ended.error;
  }
}

TEST(MpiRunErrors, AStopKeepsItsCode) {
  const TemporaryFolder folder;
  const Words words{"--max-wall=1s", "outer.iterations=10000000", "validation.every=0"};
  const Ended ended = train_on(2, "sinusoid_maml", folder / "run", words);
  EXPECT_EQ(ended.code, 75) << ended.error;
  EXPECT_NO_THROW(newest_checkpoint(folder / "run"));
}

}  // namespace
}  // namespace outerloop::cli
