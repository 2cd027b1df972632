#include <gtest/gtest.h>

#include <new>

#include "comm/conformance.h"
#include "outerloop/comm/agreement.h"
#include "support/message_of.h"

namespace outerloop::comm {
namespace {

std::string on_host(const Communicator& ranks, int rank) {
  return "rank " + std::to_string(rank) + " on " + ranks.hosts()[static_cast<size_t>(rank)];
}

void strings_come_in_rank_order(Communicator& ranks) {
  const auto text = [](int r) { return std::string(static_cast<size_t>(r * 7 % 5), 'a' + r); };
  const auto all = all_gather_strings(ranks, "strings", text(ranks.rank()));
  ASSERT_EQ(all.size(), static_cast<size_t>(ranks.size()));
  for (int r = 0; r < ranks.size(); ++r) EXPECT_EQ(all[static_cast<size_t>(r)], text(r));
}

void no_failure_is_no_failure(Communicator& ranks) {
  EXPECT_FALSE(first_failure(ranks, "phase", std::nullopt));
  fail_together(ranks, "phase", [] {});
}

void the_lowest_failing_rank_is_told_to_all(Communicator& ranks) {
  for (int failing = 0; failing < ranks.size(); ++failing) {
    std::optional<Failure> mine;
    if (ranks.rank() >= failing) mine = Failure{"no file x" + std::to_string(ranks.rank()), 2};
    const auto first = first_failure(ranks, "phase", mine);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->rank, failing);
    EXPECT_EQ(first->failure.message, "no file x" + std::to_string(failing));
    EXPECT_EQ(first->failure.code, 2);
    EXPECT_EQ(first->failed, ranks.size() - failing);
  }
}

void a_phase_fails_on_all_ranks_or_on_none(Communicator& ranks) {
  if (ranks.size() == 1) return;
  const int last = ranks.size() - 1;
  const auto only_last = [&](auto error) {
    return [&ranks, last, error] {
      fail_together(ranks, "phase", [&] {
        if (ranks.rank() == last) throw error;
      });
    };
  };
  EXPECT_EQ(message_of<AgreedBadInput>(only_last(BadInput("no such key"))),
            on_host(ranks, last) + ": no such key");
  EXPECT_EQ(message_of<AgreedFailure>(only_last(SystemFailure("full disk"))),
            on_host(ranks, last) + ": full disk");
  EXPECT_EQ(message_of<AgreedFailure>(only_last(std::bad_alloc())),
            on_host(ranks, last) + ": out of memory");
  EXPECT_EQ(message_of<AgreedBadInput>([&] {
              fail_together(ranks, "phase",
                            [&] { throw BadInput("file " + std::to_string(ranks.rank())); });
            }),
            on_host(ranks, 0) + ", the first of " + std::to_string(ranks.size()) +
                " ranks that failed: file 0");
}

void what_all_ranks_say_stands_alone(Communicator& ranks) {
  const auto all = [&] { fail_together(ranks, "phase", [] { throw BadInput("a bad config"); }); };
  EXPECT_EQ(message_of<BadInput>(all), "a bad config");
}

void other_fingerprints_are_named(Communicator& ranks) {
  EXPECT_NO_THROW(require_equal(ranks, "data", "the data set", "abc", "copy it"));
  if (ranks.size() == 1) return;
  const int odd = ranks.size() > 2 ? 1 : ranks.size() - 1;
  const std::string mine = ranks.rank() == odd ? "xyz" : "abc";
  EXPECT_EQ(message_of<AgreedBadInput>([&] {
              require_equal(ranks, "data", "the data set", mine, "copy it to all hosts");
            }),
            "the data set is not the same on all ranks: abc on " +
                std::to_string(ranks.size() - 1) + " of " + std::to_string(ranks.size()) +
                " ranks, xyz on " + on_host(ranks, odd) + "; copy it to all hosts");
}

constexpr ConformanceCase kAgreementCases[]{
    {"StringsComeInRankOrder", strings_come_in_rank_order},
    {"NoFailureIsNoFailure", no_failure_is_no_failure},
    {"TheLowestFailingRankIsToldToAll", the_lowest_failing_rank_is_told_to_all},
    {"APhaseFailsOnAllRanksOrOnNone", a_phase_fails_on_all_ranks_or_on_none},
    {"WhatAllRanksSayStandsAlone", what_all_ranks_say_stands_alone},
    {"OtherFingerprintsAreNamed", other_fingerprints_are_named},
};

}  // namespace

std::span<const ConformanceCase> agreement_cases() {
  return kAgreementCases;
}

}  // namespace outerloop::comm
