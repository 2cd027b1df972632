#include "outerloop/comm/watchdog.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <functional>
#include <mutex>
#include <thread>

#include "comm/judge.h"
#include "comm/meeting.h"
#include "io/temporary_folder.h"
#include "outerloop/comm/local.h"
#include "support/message_of.h"

namespace outerloop::comm {
namespace {

using namespace std::chrono_literals;

struct State {
  std::chrono::milliseconds heard_ago;
  std::chrono::milliseconds moved_ago;
  uint64_t sequence;
  bool left;
  bool watched = true;
  bool lost = false;
};

struct JudgeCase {
  const char* name;
  std::vector<State> ranks;
  const char* verdict;  // empty: go on
};

TEST(Judge, NamesTheRankAndTheCollectiveThatItDidNotEnter) {
  const WatchdogOptions options{.interval = 1s, .silence = 30s, .stall = 600s};
  const std::vector<JudgeCase> cases{
      {"all at work", {{1s, 5s, 7, true}, {1s, 5s, 7, true}, {0s, 0s, 8, false}}, ""},
      {"a long wait, but not too long", {{1s, 599s, 7, true}, {1s, 599s, 8, false}}, ""},
      {"work without a collective", {{1s, 900s, 7, true}, {1s, 900s, 7, true}}, ""},
      {"silent while others wait",
       {{1s, 40s, 8, false}, {31s, 40s, 7, true}, {0s, 10s, 8, false}},
       "rank 1 on b gave no sign of life for 30 s; it did not enter barrier 'x' (#8), where rank 0 "
       "on a waits; it was past barrier 'x' (#7) when last heard"},
      {"silent before the first",
       {{1s, 40s, 1, false}, {31s, 40s, 0, true}},
       "rank 1 on b gave no sign of life for 30 s; it did not enter barrier 'x' (#1), where rank 0 "
       "on a waits; it had entered none when last heard"},
      {"silent inside",
       {{1s, 40s, 8, false}, {31s, 40s, 8, false}},
       "rank 1 on b gave no sign of life for 30 s; it was in barrier 'x' (#8) when last heard"},
      {"silent after its leave", {{1s, 40s, 7, true}, {31s, 40s, 7, true, false}}, ""},
      {"lost while another waits",
       {{0s, 0s, 9, false}, {1s, 1s, 7, true, true, true}, {2s, 2s, 8, false}},
       "rank 1 on b is gone: it was killed, or its host is dead; rank 0 on a waits for it in "
       "barrier 'x' (#9); it was past barrier 'x' (#7) when last heard"},
      {"lost while nobody waits",
       {{0s, 0s, 9, true}, {1s, 1s, 7, true, true, true}},
       "rank 1 on b is gone: it was killed, or its host is dead; it was past barrier 'x' (#7) when "
       "last heard"},
      {"lost before another",
       {{500ms, 1s, 9, false, true, true}, {0s, 0s, 9, false}, {600ms, 1s, 7, true, true, true}},
       "rank 2 on c is gone: it was killed, or its host is dead; rank 1 on b waits for it in "
       "barrier 'x' (#9); it was past barrier 'x' (#7) when last heard"},
      {"lost just now", {{0s, 0s, 9, false}, {100ms, 1s, 7, true, true, true}}, ""},
      {"lost after its leave", {{0s, 0s, 9, false}, {1s, 1s, 7, true, false, true}}, ""},
      {"stuck",
       {{1s, 601s, 9, false}, {1s, 602s, 8, true}, {1s, 605s, 7, true}},
       "rank 2 on c has been stuck for 600 s; it did not enter barrier 'x' (#9), where rank 0 on a "
       "waits; it was past barrier 'x' (#7) when last heard"},
      {"late, but moving", {{1s, 601s, 9, false}, {1s, 10s, 8, true}}, ""},
      {"all in one",
       {{1s, 601s, 9, false}, {1s, 600s, 9, false}},
       "all ranks have been in barrier 'x' (#9) for 600 s: data between them get lost; check the "
       "network"},
  };
  const Clock::time_point now = Clock::now();
  for (const JudgeCase& c : cases) {
    std::vector<Sighting> seen;
    for (const State& s : c.ranks) {
      seen.push_back({s.watched, s.lost, now - s.heard_ago, now - s.moved_ago, s.sequence, s.left,
                      describe({s.sequence, Verb::barrier, "x"})});
    }
    const auto verdict = judge(seen, {"a", "b", "c"}, now, options);
    EXPECT_EQ(verdict ? verdict->text : "", c.verdict) << c.name;
  }
}

TEST(Judge, EveryRankKnowsOfTheFirstAndItsDeputy) {
  const auto watched = [](int rank) {
    std::vector<int> result;
    const auto known = heard_by(rank, 2, std::vector<Sighting>(5));
    for (int r = 0; r < 5; ++r) {
      if (known[static_cast<size_t>(r)].watched) result.push_back(r);
    }
    return result;
  };
  EXPECT_EQ(watched(0), (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(watched(2), (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(watched(3), (std::vector<int>{0, 2, 3}));
}

TEST(Deputy, IsOnAnotherHostIfThereIsOne) {
  EXPECT_EQ(deputy_of({"a", "a"}), 1);
  EXPECT_EQ(deputy_of({"a", "b", "a"}), 1);
  EXPECT_EQ(deputy_of({"a", "a", "b", "c"}), 2);
}

TEST(Meeting, NamesTheRanksThatDidNotConnectAndWhatToDo) {
  const std::vector<std::string> hosts{"a", "b", "b", "c", "c", "d", "d"};
  const Invitation reachable{.count = 1, .port = htons(4711)};
  const Invitation without_address{.count = 0, .port = htons(4711)};
  EXPECT_EQ(describe_missing(hosts, {1}, 0, reachable),
            "rank 1 on b did not connect to rank 0 on a over TCP, port 4711; allow connections "
            "between the hosts over IPv4");
  EXPECT_EQ(describe_missing(hosts, {0, 2, 3, 4, 5, 6}, 1, reachable),
            "rank 0 on a, rank 2 on b, rank 3 on c, rank 4 on c and 2 more did not connect to rank "
            "1 on b over TCP, port 4711; allow connections between the hosts over IPv4");
  EXPECT_EQ(describe_missing(hosts, {1, 2}, 0, without_address),
            "rank 1 on b, rank 2 on b did not connect to rank 0 on a over TCP, port 4711; a has no "
            "IPv4 address, which it needs");
}

// While it lives this process may open few files more.
class FewFiles {
 public:
  explicit FewFiles(int more) {
    getrlimit(RLIMIT_NOFILE, &earlier_);
    const Socket first_free(open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit few = earlier_;
    few.rlim_cur = static_cast<rlim_t>(first_free.fd() + more);
    is_set_ = setrlimit(RLIMIT_NOFILE, &few) == 0;
  }
  ~FewFiles() { setrlimit(RLIMIT_NOFILE, &earlier_); }
  FewFiles(const FewFiles&) = delete;
  FewFiles& operator=(const FewFiles&) = delete;

  bool is_set() const { return is_set_; }

 private:
  rlimit earlier_{};
  bool is_set_ = false;
};

constexpr WatchdogOptions kQuick{.interval = 20ms, .silence = 20s, .stall = 200ms};

// Where both were lost between two looks, who was first tells which one ended the other.
TEST(Link, KnowsWhenItWasClosed) {
  const auto [listener, invitation] = listen_anywhere();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = invitation.port;
  std::vector<Socket> others;
  std::vector<Link> links;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(connect(others[i].fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    wait_readable({listener.fd()}, 1s);
    links.emplace_back(accept_from(listener));
  }
  others[1] = Socket();
  std::this_thread::sleep_for(80ms);
  others[0] = Socket();
  std::this_thread::sleep_for(80ms);
  Message none;
  for (Link& link : links) {
    EXPECT_FALSE(link.receive(none));
    EXPECT_TRUE(link.closed());
  }
  EXPECT_GT(links[0].closed_at() - links[1].closed_at(), 40ms);
  EXPECT_GT(Clock::now() - links[0].closed_at(), 40ms);
}

TEST(Link, SaysThatThereAreTooManyOpenFiles) {
  const auto listening = listen_anywhere();
  const Socket& listener = listening.first;
  const Invitation& invitation = listening.second;
  const Socket other = connect_to(invitation, /*same_host=*/true, 1s);
  ASSERT_TRUE(other.open());
  wait_readable({listener.fd()}, 1s);
  const FewFiles none(0);
  ASSERT_TRUE(none.is_set());
  const std::vector<std::function<void()>> openings{
      [&] { accept_from(listener); },
      [&] { connect_to(invitation, /*same_host=*/true, 1s); },
      [] { listen_anywhere(); },
  };
  for (const auto& opens : openings) {
    EXPECT_CONTAINS(message_of<SystemFailure>(opens),
                    "Too many open files; raise the limit of open files (ulimit -n)");
  }
}

TEST(Watchdog, RaisesTheLimitOfOpenFilesToWhatItMay) {
  std::atomic<int> ended = 0;
  const FewFiles few(12);  // of 26
  ASSERT_TRUE(few.is_set());
  run_ranks(6, [&](Communicator& ranks) {
    Watchdog watchdog(ranks, kQuick, [&](const Verdict&) { ++ended; });
    ranks.barrier("together");
  });
  EXPECT_EQ(ended, 0);
}

TEST(Watchdog, CanBeStartedAgainAfterItsEnd) {
  std::atomic<int> ended = 0;
  run_ranks(4, [&](Communicator& ranks) {
    for (int i = 0; i < 5; ++i) {
      Watchdog watchdog(ranks, kQuick, [&](const Verdict&) { ++ended; });
      if (i % 4 == ranks.rank()) std::this_thread::sleep_for(30ms);
      ranks.barrier("part");
    }
  });
  EXPECT_EQ(ended, 0);
}

TEST(Watchdog, TellsAllRanksWhichOneIsStuck) {
  std::mutex mutex;
  std::vector<Verdict> verdicts;
  run_ranks(4, [&](Communicator& ranks) {
    Watchdog watchdog(ranks, kQuick, [&](const Verdict& verdict) {
      const std::lock_guard lock(mutex);
      verdicts.push_back(verdict);
    });
    const auto told = [&] {
      const std::lock_guard lock(mutex);
      return verdicts.size() == 4;
    };
    for (int i = 0; ranks.rank() == 2 && i < 1000 && !told(); ++i)
      std::this_thread::sleep_for(10ms);
    ranks.barrier("end of step");
  });
  ASSERT_EQ(verdicts.size(), 4u);
  int found = 0;
  for (const Verdict& verdict : verdicts) {
    EXPECT_NE(verdict.text.find("rank 2 on "), std::string::npos) << verdict.text;
    EXPECT_NE(verdict.text.find("did not enter barrier 'end of step'"), std::string::npos);
    EXPECT_EQ(verdict.text, verdicts[0].text);
    found += verdict.found_here ? 1 : 0;
  }
  EXPECT_EQ(found, 1);
}

TEST(Watchdog, LetsRanksGoOnThatMoveAndThatEndAtOtherTimes) {
  std::atomic<int> ended = 0;
  run_ranks(3, [&](Communicator& ranks) {
    {
      Watchdog watchdog(ranks, kQuick, [&](const Verdict&) { ++ended; });
      for (int i = 0; i < 20; ++i) {
        if (i % 3 == ranks.rank()) std::this_thread::sleep_for(30ms);
        ranks.barrier("step");
      }
    }
    std::this_thread::sleep_for(ranks.rank() * 150ms);
  });
  EXPECT_EQ(ended, 0);
}

TEST(Watchdog, HasNothingToDoForOneRank) {
  run_ranks(1, [](Communicator& ranks) {
    Watchdog watchdog(ranks, kQuick, [](const Verdict&) { FAIL(); });
    EXPECT_EQ(ranks.log().entered(), 0u);
  });
}

}  // namespace
}  // namespace outerloop::comm
