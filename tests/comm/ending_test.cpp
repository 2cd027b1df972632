// Exit codes and last words of ranks under the MPI launcher.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace outerloop::comm {
namespace {

struct Ending {
  int code;
  std::string text;
};

// On three ranks, where at most one fails of its own.
Ending ending_of(const std::string& how) {
  const std::string command =
      "timeout 60 " OUTERLOOP_MPIEXEC " 3 '" OUTERLOOP_BINARY_DIR "/comm_ending' " + how + " 2>&1";
  Ending ending{-1, {}};
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return ending;
  std::array<char, 512> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) ending.text += line.data();
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ending.code = WEXITSTATUS(status);
  return ending;
}

struct Case {
  const char* how;
  int code;
  const char* said;
};

class MpiEnding : public testing::TestWithParam<Case> {};

TEST_P(MpiEnding, HasTheCodeAndOneLineAndLeavesNobodyWaiting) {
  const Case& c = GetParam();
  const Ending ending = ending_of(c.how);
  EXPECT_EQ(ending.code, c.code) << ending.text;
  EXPECT_NE(ending.text.find(c.said), std::string::npos) << ending.text;
  const size_t first = ending.text.find("error: ");
  if (first != std::string::npos) {
    EXPECT_EQ(ending.text.find("error: ", first + 1), std::string::npos) << ending.text;
  }
}

INSTANTIATE_TEST_SUITE_P(
    all, MpiEnding,
    testing::Values(Case{"well", 0, ""}, Case{"stopped", 75, ""}, Case{"watched", 0, ""},
                    Case{"watched_stopped", 1,
                         "gave no sign of life for 2 s; it did not enter barrier 'after "
                         "that' (#8), where rank 0 on "},
                    Case{"watched_first_stopped", 1, "error: rank 0 on "},
                    Case{"watched_first_killed", 137, "error: rank 0 on "},
                    Case{"watched_stuck", 1,
                         "has been stuck for 1 s; it did not enter barrier 'after that'"},
                    Case{"watched_killed", 137, "is gone: it was killed, or its host is dead"},
                    // All ranks know, rank 0 says it.
                    Case{"agreed", 2, "error: rank 2 on "},
                    // One rank fails while the others wait.
                    Case{"aborts", 3, ""}, Case{"unwinds", 1, ""},
                    Case{"long", 4, "all_to_all 'shards' (#3) failed on rank 0: MPI_ERR_TRUNCATE"},
                    Case{"short", 5,
                         "rank 0 expects 10 bytes from rank 2 in all_to_all 'shards' (#3), which "
                         "sent 5"}),
    [](const auto& each) { return std::string(each.param.how); });

}  // namespace
}  // namespace outerloop::comm
