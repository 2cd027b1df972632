// importance RUN --budget auto under the MPI launcher: the same choices and bytes from any number
// of ranks, and after an interruption in any round.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/process.h"
#include "train/tiny_runs.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kStoppedCode = 75;

class BudgetOnRanks : public testing::Test {
 protected:
  static void SetUpTestSuite() { run_ = train::train_tiny("budget_ranks", train::kTinySine); }

  Words command(int ranks, const std::string& out) const {
    return {OUTERLOOP_MPIEXEC_RANKS,
            std::to_string(ranks),
            "/bin/sh",
            "-c",
            "[ $OMPI_COMM_WORLD_RANK -gt 0 ] || echo $$ >" + leader_file() + "; exec \"$0\" \"$@\"",
            OUTERLOOP_BINARY_DIR "/outerloop",
            "importance",
            run_.string(),
            "--out",
            (folder_ / out).string(),
            "--budget",
            "auto",
            "--half-width",
            "0.1",
            "--tasks",
            "20000",
            "--estimands",
            "query,support,drop",
            "--threads",
            "1",
            "--quiet"};
  }
  Process start(int ranks, const std::string& out) const {
    return Process(command(ranks, out), {}, OUTERLOOP_MPIEXEC);
  }

  // Holds the process of rank 0: mpirun keeps a signal to itself, or dies of it.
  std::string leader_file() const { return (folder_ / "leader").string(); }

  fs::path journal(const std::string& out, size_t round) const {
    return folder_ / out / fmt::format("journal/importance-round{}.h5", round);
  }
  std::string bytes(const std::string& out) const {
    std::string all;
    for (const char* file : {"importance.json", "importance.csv", "report.html"}) {
      all += read_file(folder_ / out / file);
    }
    for (size_t round = 1; round <= rounds(out); ++round) all += read_file(journal(out, round));
    return all;
  }
  size_t rounds(const std::string& out) const {
    const auto found = nlohmann::json::parse(read_file(folder_ / out / "importance.json"));
    return found["budget"]["rounds"].size();
  }

  inline static fs::path run_;
  TemporaryFolder folder_;
};

TEST_F(BudgetOnRanks, ChoosesTheSameOnAnyNumberOfRanks) {
  for (const int ranks : {1, 2, 3, 8}) {
    const Ended ended = start(ranks, std::to_string(ranks)).wait();
    ASSERT_EQ(ended.code, 0) << ended.error;
  }
  EXPECT_GT(rounds("1"), 2u);
  EXPECT_TRUE(bytes("2") == bytes("1"));
  EXPECT_TRUE(bytes("3") == bytes("1"));
  EXPECT_TRUE(bytes("8") == bytes("1"));
}

// Stopped in its first, second and third round, on another number of ranks each time.
TEST_F(BudgetOnRanks, ChoosesTheSameAfterInterruptions) {
  ASSERT_EQ(start(1, "whole").wait().code, 0);
  for (const int ranks : {1, 2, 3}) {
    const auto round = static_cast<size_t>(ranks);
    Process process = start(ranks, "parts");
    ASSERT_TRUE(process.await([&] { return fs::exists(journal("parts", round)); }));
    ::kill(std::stoi(read_file(leader_file())), SIGTERM);
    ASSERT_EQ(process.wait().code, kStoppedCode) << "round " << round;
    EXPECT_FALSE(fs::exists(journal("parts", round + 1)));
  }
  const Ended ended = start(2, "parts").wait();
  ASSERT_EQ(ended.code, 0) << ended.error;
  EXPECT_TRUE(bytes("parts") == bytes("whole"));
}

}  // namespace
}  // namespace outerloop::cli
