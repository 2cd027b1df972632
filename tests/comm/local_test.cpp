#include "outerloop/comm/local.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "comm/conformance.h"
#include "outerloop/comm/agreement.h"
#include "support/message_of.h"

namespace outerloop::comm {
namespace {

class Local : public testing::TestWithParam<std::tuple<int, ConformanceCase>> {};

TEST_P(Local, Conforms) {
  const auto& [ranks, checked] = GetParam();
  run_ranks(ranks, checked.run);
}

std::string name_of(const testing::TestParamInfo<Local::ParamType>& info) {
  const auto& [ranks, checked] = info.param;
  return std::string(checked.name) + "_" + std::to_string(ranks);
}

constexpr std::array<int, 5> kRankCounts{1, 2, 3, 4, 8};
INSTANTIATE_TEST_SUITE_P(verbs, Local,
                         testing::Combine(testing::ValuesIn(kRankCounts),
                                          testing::ValuesIn(verb_cases().begin(),
                                                            verb_cases().end())),
                         name_of);
INSTANTIATE_TEST_SUITE_P(agreement, Local,
                         testing::Combine(testing::ValuesIn(kRankCounts),
                                          testing::ValuesIn(agreement_cases().begin(),
                                                            agreement_cases().end())),
                         name_of);

INSTANTIATE_TEST_SUITE_P(reduction, Local,
                         testing::Combine(testing::ValuesIn(kRankCounts),
                                          testing::ValuesIn(reduction_cases().begin(),
                                                            reduction_cases().end())),
                         name_of);

template <class E>
std::string message_on_ranks(int ranks, const std::function<void(Communicator&)>& body) {
  return message_of<E>([&] { run_ranks(ranks, body); });
}

TEST(LocalGroup, ReleasesTheOthersWhenARankThrows) {
  std::atomic<int> released = 0;
  const std::string message = message_on_ranks<BadInput>(4, [&](Communicator& ranks) {
    std::vector<float> values(10);
    ranks.broadcast("theta", std::span(values), 0);
    if (ranks.rank() == 2) throw BadInput("no more");
    try {
      ranks.all_reduce_fast("meta-gradient", std::span(values));
    } catch (const RankFailure& error) {
      ++released;
      const std::string text = error.what();
      EXPECT_NE(text.find("was in all_reduce_fast 'meta-gradient' (#2)"), text.npos) << text;
      throw;
    }
  });
  EXPECT_EQ(message, "no more");
  EXPECT_EQ(released, 3);
}

TEST(LocalGroup, ReleasesTheOthersWhenARankEndsEarly) {
  const std::string message = message_on_ranks<RankFailure>(3, [](Communicator& ranks) {
    if (ranks.rank() != 1) ranks.barrier("end of step");
  });
  EXPECT_NE(message.find("rank 1 on"), message.npos) << message;
  EXPECT_NE(message.find("it has ended"), message.npos) << message;
}

TEST(LocalGroup, WaitingForLettersEndsWhenARankFailsButNotWhenOneEnds) {
  const auto wait_for = [](Communicator& ranks) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < deadline) {
      if (ranks.take()) return true;
    }
    return false;
  };
  run_ranks(3, [&](Communicator& ranks) {
    const std::array<std::byte, 1> letter{};
    if (ranks.rank() == 1) return;
    if (ranks.rank() == 0) {
      EXPECT_TRUE(wait_for(ranks));
    }
    if (ranks.rank() == 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ranks.post(0, letter);
    }
  });
  EXPECT_THROW(run_ranks(3,
                         [&](Communicator& ranks) {
                           if (ranks.rank() == 1) throw SystemFailure("full disk");
                           if (ranks.rank() == 0) {
                             EXPECT_THROW(wait_for(ranks), RankFailure);
                           }
                         }),
               SystemFailure);
}

TEST(LocalGroup, AnAbandonedExchangeTouchesNoMemoryAfterwards) {
  EXPECT_EQ(message_on_ranks<BadInput>(
                2,
                [](Communicator& ranks) {
                  std::vector<double> out(1000, 1.0), in(1000);
                  const int other = 1 - ranks.rank();
                  const Piece<const double> send{other, out};
                  const Piece<double> receive{other, in};
                  if (ranks.rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(20));
                  Pending pending = ranks.start_exchange<double>("swap", {&send, 1}, {&receive, 1});
                  if (ranks.rank() == 0) throw BadInput("given up");
                  pending.wait();
                }),
            "given up");
}

struct Misuse {
  const char* name;
  std::function<void(Communicator&)> body;
  const char* said;
};

TEST(LocalGroup, NamesRanksThatDoNotCallTheSame) {
  const std::vector<Misuse> cases{
      {"labels",
       [](Communicator& ranks) { ranks.rank() == 0 ? ranks.barrier("a") : ranks.barrier("b"); },
       "all ranks must call the same"},
      {"verbs",
       [](Communicator& ranks) {
         std::vector<float> v(2);
         ranks.rank() == 0 ? ranks.barrier("a") : ranks.broadcast("a", std::span(v), 0);
       },
       "all ranks must call the same"},
      {"sizes",
       [](Communicator& ranks) {
         std::vector<float> v(2 + static_cast<size_t>(ranks.rank()));
         ranks.broadcast("a", std::span(v), 0);
       },
       "8 bytes are sent, 12 expected"},
      {"pieces",
       [](Communicator& ranks) {
         const std::vector<float> v(2);
         const Piece<const float> send{0, v};
         ranks.start_exchange<float>("a", {&send, ranks.rank() == 1 ? 1u : 0u}, {}).wait();
       },
       "more is sent than expected"},
  };
  for (const Misuse& misuse : cases) {
    const std::string message = message_on_ranks<InternalError>(2, misuse.body);
    EXPECT_NE(message.find(misuse.said), message.npos) << misuse.name << ": " << message;
  }
}

TEST(Agreement, NamesTheHosts) {
  const auto body = [](Communicator& ranks) {
    require_equal(ranks, "data", "the data set", ranks.rank() == 2 ? "b" : "a", "copy it");
  };
  try {
    run_ranks({"n1", "n1", "n2"}, body);
    FAIL() << "must throw";
  } catch (const AgreedBadInput& error) {
    EXPECT_STREQ(error.what(),
                 "the data set is not the same on all ranks: a on 2 of 3 ranks, b on rank 2 on n2; "
                 "copy it");
  }
}

TEST(CollectiveLog, KeepsTheNewestAndCanBeReadMeanwhile) {
  CollectiveLog log;
  EXPECT_EQ(log.last().sequence, 0u);
  EXPECT_TRUE(log.recent().empty());
  constexpr int64_t kCalls = 20000;
  std::jthread reader([&] {
    while (log.entered() < kCalls) {
      for (const Collective& c : log.recent()) {
        // Fields of one and the same call.
        ASSERT_EQ(c.bytes, static_cast<int64_t>(c.sequence));
        ASSERT_STREQ(c.label, c.sequence % 2 == 0 ? "even" : "odd");
      }
    }
  });
  for (int64_t i = 1; i <= kCalls; ++i) {
    log.leave(i % 2 == 0 ? log.enter(Verb::barrier, "even", i)
                         : log.enter(Verb::broadcast, "odd", i));
  }
  reader.join();
  const auto recent = log.recent();
  ASSERT_EQ(recent.size(), CollectiveLog::kKept);
  EXPECT_EQ(recent.front().sequence, kCalls - CollectiveLog::kKept + 1);
  EXPECT_EQ(recent.back().sequence, static_cast<uint64_t>(kCalls));
  EXPECT_TRUE(recent.back().left);
}

}  // namespace
}  // namespace outerloop::comm
