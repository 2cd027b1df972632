#include "outerloop/base/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

TEST(StopSignal, RemembersTheFirstSignal) {
  const StopSignal stop;
  EXPECT_EQ(stop.received(), 0);
  raise(SIGTERM);
  EXPECT_NE(stop.received(), 0);
  EXPECT_EQ(stop.received(), SIGTERM);
  raise(SIGINT);  // at once: the same request
  EXPECT_EQ(stop.received(), SIGTERM);
}

TEST(StopSignal, StartsAnewAfterAnEarlierOne) {
  {
    const StopSignal stop;
    raise(SIGUSR1);
    EXPECT_EQ(stop.received(), SIGUSR1);
  }
  const StopSignal stop;
  EXPECT_EQ(stop.received(), 0);
}

TEST(StopSignal, RestoresTheHandlersFound) {
  struct sigaction before {
  }, after{};
  sigaction(SIGTERM, nullptr, &before);
  { const StopSignal stop; }
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(StopSignal, RefusesASecondOneAtTheSameTime) {
  const StopSignal stop;
  EXPECT_THROW(StopSignal(), InternalError);
  raise(SIGTERM);
  EXPECT_NE(stop.received(), 0);
}

TEST(StopSignal, EndsTheProcessAtALaterSecondSignal) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const StopSignal stop;
    raise(SIGINT);
    usleep(600'000);
    raise(SIGTERM);
    _exit(0);  // not reached
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

}  // namespace
}  // namespace outerloop
