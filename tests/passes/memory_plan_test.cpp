#include "outerloop/passes/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace outerloop::passes {
namespace {

bool alive_together(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

void expect_valid(const std::vector<Lifetime>& lifetimes, const MemoryPlan& plan) {
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(0, plan.offsets[i] % kAlignment);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.arena_bytes);
    for (size_t j = 0; j < i; ++j) {
      if (!alive_together(lifetimes[i], lifetimes[j])) continue;
      EXPECT_TRUE(plan.offsets[i] + lifetimes[i].bytes <= plan.offsets[j] ||
                  plan.offsets[j] + lifetimes[j].bytes <= plan.offsets[i])
          << "buffers " << i << " and " << j << " overlap";
    }
  }
  EXPECT_GE(plan.arena_bytes, plan.peak_live_bytes);
}

TEST(MemoryPlan, ReusesTheMemoryOfAChain) {
  // Each buffer is read by the step that writes the next one.
  std::vector<Lifetime> chain;
  for (int32_t step = 0; step < 10; ++step) chain.push_back({6400, step, step + 1});
  const MemoryPlan plan = plan_memory(chain);
  expect_valid(chain, plan);
  EXPECT_EQ(2 * 6400, plan.arena_bytes);
  EXPECT_EQ(plan.peak_live_bytes, plan.arena_bytes);
}

TEST(MemoryPlan, KeepsWhatLivesTogetherApart) {
  const std::vector<Lifetime> together{{100, 0, 5}, {100, 0, 5}, {1, 2, 2}};
  const MemoryPlan plan = plan_memory(together);
  expect_valid(together, plan);
  EXPECT_EQ(128 + 128 + 1, plan.arena_bytes);  // the last buffer to the byte
}

TEST(MemoryPlan, OfNothingIsNothing) {
  EXPECT_EQ(0, plan_memory({}).arena_bytes);
}

TEST(MemoryPlan, IsValidAndNearTheLowerBoundForRandomLifetimes) {
  std::mt19937 generator(5);
  for (int round = 0; round < 50; ++round) {
    std::uniform_int_distribution<int32_t> step(0, 60);
    std::uniform_int_distribution<int32_t> span(0, 15);
    std::uniform_int_distribution<int64_t> bytes(1, 20000);
    std::vector<Lifetime> lifetimes;
    for (int i = 0; i < 80; ++i) {
      const int32_t first = step(generator);
      lifetimes.push_back({bytes(generator), first, first + span(generator)});
    }
    const MemoryPlan plan = plan_memory(lifetimes);
    expect_valid(lifetimes, plan);
    EXPECT_LE(static_cast<double>(plan.arena_bytes),
              1.3 * static_cast<double>(plan.peak_live_bytes));
  }
}

}  // namespace
}  // namespace outerloop::passes
