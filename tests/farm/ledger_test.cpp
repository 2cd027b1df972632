#include "farm/ledger.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <set>

namespace outerloop::farm {
namespace {

using std::chrono::seconds;
using Cells = std::vector<size_t>;

constexpr Ledger::Clock::time_point kStart{};

Ledger ledger_of(size_t cells) {
  Cells all(cells);
  std::iota(all.begin(), all.end(), 0);
  return {cells, all, seconds(10)};
}

TEST(Ledger, GivesCellsInOrderAndEachOnce) {
  Ledger ledger(9, {1, 4, 8}, seconds(10));
  EXPECT_EQ(ledger.take(0, 2, kStart), (Cells{1, 4}));
  EXPECT_EQ(ledger.take(1, 2, kStart), Cells{8});
  EXPECT_EQ(ledger.take(1, 2, kStart), Cells{});
  EXPECT_EQ(ledger.left(), 3);
  for (const size_t cell : {8, 1, 4}) EXPECT_TRUE(ledger.finish(cell));
  EXPECT_TRUE(ledger.complete());
  EXPECT_FALSE(ledger.finish(4));
}

TEST(Ledger, GivesALeaseThatHasRunOutToAnotherWorker) {
  Ledger ledger = ledger_of(2);
  EXPECT_EQ(ledger.take(0, 9, kStart), (Cells{0, 1}));
  EXPECT_EQ(ledger.take(1, 9, kStart + seconds(9)), Cells{});
  EXPECT_EQ(ledger.take(0, 9, kStart + seconds(10)), Cells{}) << "it has them already";
  EXPECT_EQ(ledger.take(1, 9, kStart + seconds(10)), Cells{0});
  EXPECT_EQ(ledger.take(1, 9, kStart + seconds(10)), Cells{1});
  EXPECT_EQ(ledger.take(2, 9, kStart + seconds(19)), Cells{});
  EXPECT_TRUE(ledger.finish(0)) << "by the first worker, late";
  EXPECT_EQ(ledger.take(2, 9, kStart + seconds(20)), Cells{1});
}

TEST(Ledger, NewCellsGoBeforeThoseOfOthers) {
  Ledger ledger = ledger_of(2);
  EXPECT_EQ(ledger.take(0, 1, kStart), Cells{0});
  EXPECT_EQ(ledger.take(1, 9, kStart + seconds(60)), Cells{1});
  EXPECT_EQ(ledger.take(1, 9, kStart + seconds(60)), Cells{0});
}

// Workers that take, finish, forget and come back at random times: whatever happens, all cells get
// done while one worker is left, no two hold one cell while its lease lasts, and each counts once.
TEST(Ledger, LosesAndDoublesNothingWhateverWorkersDo) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const size_t cells = 1 + random() % 60;
    Ledger ledger = ledger_of(cells);
    struct Held {
      int worker;
      Ledger::Clock::time_point end;
    };
    std::map<size_t, Held> held;
    std::map<int, std::multiset<size_t>> at;
    std::set<size_t> done;
    Ledger::Clock::time_point now = kStart;
    for (int step = 0; !ledger.complete(); ++step) {
      ASSERT_LT(step, 100'000);
      now += std::chrono::milliseconds(random() % 3000);
      const int worker = static_cast<int>(random() % 4);
      auto& own = at[worker];
      if (random() % 2 == 0) {
        for (const size_t cell : ledger.take(worker, 1 + random() % 5, now)) {
          ASSERT_FALSE(done.contains(cell));
          if (const auto other = held.find(cell); other != held.end()) {
            ASSERT_LE(other->second.end, now);
            ASSERT_NE(other->second.worker, worker);
          }
          held[cell] = {worker, now + seconds(10)};
          own.insert(cell);
        }
      } else if (!own.empty()) {
        const size_t cell = *own.begin();
        own.erase(own.begin());
        const bool forgets = worker != 0 && random() % 3 == 0;
        if (forgets) continue;
        ASSERT_EQ(ledger.finish(cell), done.insert(cell).second);
      }
    }
    ASSERT_EQ(done.size(), cells);
  }
}

}  // namespace
}  // namespace outerloop::farm
