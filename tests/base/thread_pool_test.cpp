#include "outerloop/base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "outerloop/base/cpu_quota.h"
#include "outerloop/base/error.h"

namespace outerloop {
namespace {

TEST(ThreadPool, CallsTheWorkOnceOnEachThread) {
  for (const int size : {1, 2, 3, 7}) {
    ThreadPool pool(size);
    std::vector<int> calls(static_cast<std::size_t>(size));
    std::vector<std::thread::id> ids(calls.size());
    for (int round = 0; round < 100; ++round) {
      pool.run([&](int thread) {
        ++calls[static_cast<std::size_t>(thread)];
        ids[static_cast<std::size_t>(thread)] = std::this_thread::get_id();
      });
    }
    for (const int count : calls) EXPECT_EQ(count, 100);
    EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size());
    EXPECT_EQ(ids[0], std::this_thread::get_id());
  }
}

TEST(ThreadPool, HasAsManyThreadsAsFitByDefault) {
  EXPECT_EQ(ThreadPool().size(), fitting_threads());
  EXPECT_LE(fitting_threads(), static_cast<int>(allowed_cores().size()));
}

TEST(ThreadPool, GivesTheCallersCoresBack) {
  const std::vector<int> before = allowed_cores();
  { ThreadPool pool; }
  EXPECT_EQ(allowed_cores(), before);
}

TEST(ThreadPool, LeavesCoresAloneWhereItIsToldTo) {
  const std::vector<int> cores = allowed_cores();
  ThreadPool pool(static_cast<int>(cores.size()), Pinning::none);
  pool.run([&](int) { EXPECT_EQ(allowed_cores(), cores); });
}

TEST(ThreadPool, WorksAfterItsThreadsHaveParked) {
  ThreadPool pool(3);
  std::atomic<int> calls = 0;
  for (int round = 0; round < 5; ++round) {
    pool.run([&](int) { ++calls; });
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  EXPECT_EQ(calls, 15);
}

TEST(ThreadPool, WaitsForSlowThreads) {
  ThreadPool pool(2);
  bool done = false;
  pool.run([&](int thread) {
    if (thread == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    done = true;
  });
  EXPECT_TRUE(done);
}

TEST(ThreadPool, GoesOnWhileOtherThreadsDoWhatComesAfter) {
  std::vector<int> befores(3), afters(3);
  std::atomic<bool> goes_on = false;
  const auto work = [&](int thread) { ++befores[static_cast<std::size_t>(thread)]; };
  const auto after = [&](int thread) {
    while (!goes_on) std::this_thread::yield();  // for ever, if run() waited for this
    ++afters[static_cast<std::size_t>(thread)];
  };
  {
    ThreadPool pool(3);
    for (int round = 0; round < 100; ++round) {
      goes_on = false;
      pool.run(work, after);
      goes_on = true;
      pool.run([](int) {});  // behind it on each thread
      EXPECT_EQ(afters, (std::vector<int>{0, round + 1, round + 1}));
    }
    pool.run(work, after);
  }
  EXPECT_EQ(befores, (std::vector<int>{101, 101, 101}));
  EXPECT_EQ(afters, (std::vector<int>{0, 101, 101}));  // the end of the pool waits too
}

TEST(ThreadPool, ThrowsTheLowestThreadsExceptionAndGoesOn) {
  ThreadPool pool(3);
  try {
    pool.run([](int thread) {
      if (thread > 0) throw std::runtime_error(std::to_string(thread));
    });
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "1");
  }
  std::atomic<int> calls = 0;
  pool.run([&](int) { ++calls; });
  EXPECT_EQ(calls, 3);
}

TEST(ThreadPool, PassesExceptionsThroughWithOneThread) {
  ThreadPool pool(1);
  EXPECT_THROW(pool.run([](int) { throw BadInput("no"); }), BadInput);
}

TEST(ThreadPool, RefusesImpossibleSizes) {
  EXPECT_THROW(ThreadPool(-1), BadInput);
  EXPECT_THROW(ThreadPool(100'000), BadInput);
}

TEST(ThreadPool, RefusesARunInsideARun) {
  ThreadPool pool(2);
  EXPECT_THROW(pool.run([&](int thread) {
    if (thread == 0) pool.run([](int) {});
  }),
               InternalError);
}

}  // namespace
}  // namespace outerloop
