#include "exec/cuda/on_all_cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "outerloop/base/thread_pool.h"

namespace outerloop::exec::cuda {
namespace {

// Threads that took a part of the work.
std::set<std::thread::id> threads_of(size_t count) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<int> done(count);
  on_all_cores(count, [&](size_t i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // so that each thread finds some
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    ++done[i];
  });
  EXPECT_EQ(done, std::vector<int>(count, 1));
  return threads;
}

TEST(OnAllCores, DoesEachPartOnceOnAtMostSixteen) {
  EXPECT_LE(threads_of(200).size(), 16u);
}

TEST(OnAllCores, KeepsToTheCoresOfTheProcess) {
  cpu_set_t before{}, one{};
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  CPU_SET(allowed_cores().front(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const std::set<std::thread::id> threads = threads_of(20);
  sched_setaffinity(0, sizeof before, &before);
  EXPECT_EQ(threads, std::set<std::thread::id>{std::this_thread::get_id()});
}

}  // namespace
}  // namespace outerloop::exec::cuda
