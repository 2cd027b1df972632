#include "outerloop/base/log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/base/terminal.h"

namespace outerloop {
namespace {

TEST(Log, SendsEachSinkWhatItAskedFor) {
  Log log;
  std::string few, all;
  log.add(LogLevel::warning, [&](LogLevel, std::string_view text) { few += text; });
  log.add(LogLevel::info, [&](LogLevel, std::string_view text) { all += text; });
  log.error("a{}", 1);
  log.info("b{}", 2);
  EXPECT_EQ(few, "a1");
  EXPECT_EQ(all, "a1b2");
}

TEST(Log, WritesWholeLinesFromManyThreads) {
  const std::string file = fresh_folder("log") / "made-by-the-sink" / "rank-0.log";
  {
    Log log;
    log.add(LogLevel::info, file_sink(file));
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int line = 0; line < 50; ++line) log.info("message {}", line);
      });
    }
  }
  std::ifstream in(file);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    EXPECT_EQ(line.find(" info message "), 24u) << line;
  }
  EXPECT_EQ(lines, 200);
}

TEST(Log, SaysWhenItsFileCannotBeOpened) {
  EXPECT_THROW(file_sink("/proc/no/such.log"), SystemFailure);
}

TEST(Terminal, FollowsNoColorAndForceColor) {
  unsetenv("NO_COLOR");
  setenv("FORCE_COLOR", "1", 1);
  EXPECT_TRUE(detect_terminal(-1).color);
  EXPECT_FALSE(detect_terminal(-1).interactive);
  EXPECT_FALSE(detect_terminal(-1, ColorMode::never).color);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(detect_terminal(-1).color);
  EXPECT_TRUE(detect_terminal(-1, ColorMode::always).color);
  unsetenv("NO_COLOR");
  unsetenv("FORCE_COLOR");
  EXPECT_FALSE(detect_terminal(-1).color);
}

}  // namespace
}  // namespace outerloop
