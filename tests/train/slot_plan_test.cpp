// Slots go to the ranks that have them done first.

#include "train/slot_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace outerloop::train {
namespace {

using Counts = std::vector<int64_t>;

Counts counts_of(std::span<const comm::Range> slots) {
  Counts counts;
  for (const comm::Range& range : slots) counts.push_back(range.size());
  return counts;
}

TEST(SlotPlan, GivesSlotsBySpeed) {
  struct Case {
    const char* what;
    int64_t slots;
    std::vector<RankSpeed> ranks;
    Counts expected;
  };
  const std::vector<Case> cases{
      {"equal ranks", 8, {{1, 1}, {1, 1}}, {4, 4}},
      {"one that takes three times as long", 32, {{1, 1}, {3, 1}}, {24, 8}},
      {"the slow one first", 14, {{3, 1}, {1, 1}, {1, 1}}, {2, 6, 6}},
      {"twice the threads", 9, {{1, 2}, {1, 1}}, {6, 3}},
      {"a thread that is there is used", 2, {{1, 2}, {1, 1}}, {2, 0}},
      {"fewer slots than ranks", 1, {{3, 1}, {1, 1}, {2, 1}}, {0, 1, 0}},
      {"a rank too slow for any", 4, {{1, 1}, {9, 1}}, {4, 0}},
  };
  for (const Case& c : cases) {
    const auto plan = plan_slots(c.slots, c.ranks);
    EXPECT_EQ(counts_of(plan), c.expected) << c.what;
    int64_t next = 0;
    for (const comm::Range& range : plan) EXPECT_EQ(std::exchange(next, range.end), range.first);
    EXPECT_EQ(next, c.slots) << c.what;
  }
}

TEST(SlotPlan, IsTheFastestThereIs) {
  std::mt19937 random(3);
  const auto between = [&](int low, int high) {
    return low + static_cast<int64_t>(random() % static_cast<uint32_t>(high - low + 1));
  };
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<RankSpeed> speeds;
    for (int r = 0; r < 3; ++r) {
      speeds.push_back({static_cast<double>(between(1, 9)), between(1, 3)});
    }
    const int64_t slots = between(1, 14);
    double best = 1e9;
    for (int64_t a = 0; a <= slots; ++a) {
      for (int64_t b = a; b <= slots; ++b) {
        best = std::min(best,
                        seconds_of(std::vector<comm::Range>{{0, a}, {a, b}, {b, slots}}, speeds));
      }
    }
    EXPECT_EQ(seconds_of(plan_slots(slots, speeds), speeds), best) << trial;
  }
}

}  // namespace
}  // namespace outerloop::train
