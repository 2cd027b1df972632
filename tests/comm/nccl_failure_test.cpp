// What ranks with GPUs say when NCCL fails: one line, the same on all.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <latch>

#include "comm/device_rank.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/local.h"

namespace outerloop::comm {
namespace {

using namespace std::chrono_literals;
using fake_nccl::Knobs;

constexpr int kRanks = 3;
const std::vector<std::string> kHosts{"n0", "n1", "n2"};

// What each rank's body threw.
std::vector<std::string> messages_of(const std::function<void(Communicator&)>& body) {
  std::vector<std::string> messages(kRanks);
  run_ranks(kHosts, [&](Communicator& host) {
    try {
      body(host);
    } catch (const SystemFailure& error) {
      messages[static_cast<size_t>(host.rank())] = error.what();
    }
  });
  return messages;
}

void expect_said(const std::string& message, const std::vector<const char*>& parts) {
  size_t at = 0;
  for (const char* part : parts) {
    const size_t found = message.find(part, at);
    ASSERT_NE(found, message.npos) << "'" << part << "' in: " << message;
    at = found + std::strlen(part);
  }
  EXPECT_EQ(message.find('\n'), message.npos) << message;
}

NcclOptions hasty(const char* named = OUTERLOOP_FAKE_NCCL) {
  return {.named = named, .connect = 200ms, .stall = 200ms, .answer = 100ms};
}

struct StartCase {
  const char* name;
  Knobs knobs;
  const char* library;
  std::vector<const char*> said;
  bool fault_of_user = false;
  bool one_gpu = false;  // of all ranks, which say otherwise
};

TEST(NcclStart, FailsOnAllRanksWithOneLine) {
  const std::vector<StartCase> cases{
      {"no library",
       {},
       "/nowhere/libnccl.so.2",
       {"NCCL cannot be loaded (/nowhere/libnccl.so.2: cannot open",
        "); install NCCL 2.14 or newer", "OUTERLOOP_NCCL"},
       true},
      {"another library",
       {},
       "libm.so.6",
       {"libm.so.6 is not an NCCL that can be used: it has no ncclGetVersion; install"},
       true},
      {"an old library",
       {.version = 2708},
       OUTERLOOP_FAKE_NCCL,
       {"is NCCL 2.7.8, which is too old; install"},
       true},
      {"no id",
       {.failing_call = "ncclGetUniqueId"},
       OUTERLOOP_FAKE_NCCL,
       {"rank 0 on n0: ncclGetUniqueId failed on rank 0: unhandled system error (", "join.cpp:"}},
      {"a rank cannot start",
       {.failing_call = "ncclCommInitRankConfig", .failing_rank = 1},
       OUTERLOOP_FAKE_NCCL,
       {"rank 1 on n1: ncclCommInitRankConfig failed on rank 1: unhandled system error"}},
      {"a rank is not found",
       {.lost_rank = 2},
       OUTERLOOP_FAKE_NCCL,
       {"NCCL could not connect 3 ranks within 0.2 s; check the network", "NCCL_DEBUG=INFO"}},
      {"NCCL sees one GPU where the ranks see several",
       {},
       OUTERLOOP_FAKE_NCCL,
       {"NCCL cannot connect: invalid usage: Duplicate GPU detected"},
       false,
       true},
  };
  for (const StartCase& c : cases) {
    SCOPED_TRACE(c.name);
    fake_nccl::set(c.knobs);
    const auto messages = messages_of([&](Communicator& host) {
      FakeDevice device;
      fake_nccl::use_gpu(c.one_gpu ? 0 : host.rank());
      try {
        connect_nccl(host, device, "GPU-" + std::to_string(host.rank()), hasty(c.library));
        ADD_FAILURE() << "connected";
      } catch (const Error& error) {
        expect_said(error.what(), c.said);
        EXPECT_NE(dynamic_cast<const Agreed*>(&error), nullptr);
        EXPECT_EQ(dynamic_cast<const BadInput*>(&error) != nullptr, c.fault_of_user);
      }
      host.barrier("still in step");
    });
    EXPECT_EQ(messages, std::vector<std::string>(kRanks));
    EXPECT_EQ(fake_nccl::alive(), 0);
  }
}

TEST(NcclStart, IsNotMadeWhereNoLibraryIsInstalled) {
  run_ranks(kHosts, [](Communicator& host) {
    FakeDevice device;
    const auto connection = connect_nccl(host, device, "GPU-" + std::to_string(host.rank()),
                                         {.library = "libnowhere.so.2", .named = ""});
    EXPECT_EQ(connection.ranks, nullptr);
    expect_said(connection.note,
                {"NCCL cannot be loaded (libnowhere.so.2: cannot open", "); install NCCL 2.14",
                 "OUTERLOOP_NCCL; until then the sums over the ranks go through host memory"});
  });
}

// Whatever else is wrong on lower ranks or with their GPUs.
TEST(NcclStart, IsRefusedWhereALibraryIsNamedWronglyOnAnyRank) {
  for (const char* gpu : {"own", "shared"}) {
    run_ranks(kHosts, [gpu](Communicator& host) {
      FakeDevice device;
      NcclOptions options{.library = "libnowhere.so.2", .named = ""};
      if (host.rank() == 2) options.named = "/nowhere/libnccl.so.2";
      try {
        connect_nccl(host, device, gpu == std::string("own") ? std::to_string(host.rank()) : gpu,
                     options);
        ADD_FAILURE() << "connected";
      } catch (const AgreedBadInput& error) {
        expect_said(error.what(), {"rank 2 on n2: NCCL cannot be loaded (/nowhere/libnccl.so.2: "});
      }
      host.barrier("still in step");
    });
  }
}

TEST(NcclStart, RanksThatShareAGpuAreNamed) {
  struct Case {
    std::vector<std::string> hosts, gpus;
    const char* note;
  };
  const std::vector<Case> cases{
      {{"a", "a", "a"}, {"GPU-x", "GPU-y", "GPU-x"}, "ranks 0 and 2 share GPU-x on a, which"},
      {{"a", "b", "b"}, {"GPU-x", "GPU-y", "GPU-y"}, "ranks 1 and 2 share GPU-y on b, which"},
      {{"a", "b", "c"}, {"GPU-x", "GPU-y", "GPU-x"}, "ranks 0 and 2 share GPU-x on c, which"},
      {{"a", "b", "c"}, {"GPU-x", "GPU-y", "GPU-z"}, nullptr},
  };
  fake_nccl::set({});
  for (const Case& c : cases) {
    run_ranks(c.hosts, [&](Communicator& host) {
      FakeDevice device;
      fake_nccl::use_gpu(host.rank());
      const auto connection = connect_nccl(host, device, c.gpus[static_cast<size_t>(host.rank())]);
      EXPECT_EQ(connection.ranks == nullptr, c.note != nullptr);
      if (c.note != nullptr) {
        expect_said(connection.note, {c.note});
      }
      EXPECT_EQ(connection.version, c.note != nullptr ? "" : nccl_version());
      if (connection.ranks) connection.ranks->finish();
    });
  }
  EXPECT_EQ(fake_nccl::alive(), 0);
}

struct RunCase {
  const char* name;
  Knobs knobs;
  int absent;  // the rank that does not come
  std::vector<const char*> said;
};

const std::vector<RunCase>& run_cases() {
  static const std::vector<RunCase> cases{
      {"a rank never enters",
       {},
       2,
       {"rank 2 on n2 gave no sign of life for 0.2 s; it did not enter all_reduce_fast 'second' (#",
        "), where rank 0 on n0 waits; it was past all_reduce_fast 'first' (#"}},
      {"a GPU hangs",
       {.broken_rank = 1, .broken_from = 1, .error = ncclSuccess},
       -1,
       {"all ranks have been in all_reduce_fast 'second' (#", ") for 0.2 s: data between them"}},
      {"an error comes later",
       {.broken_rank = 1, .broken_from = 1},
       -1,
       {"rank 1 on n1 failed in all_reduce_fast 'second' (#",
        "): unhandled system error: a cable was pulled"}},
      {"the others see a broken link",
       {.broken_rank = 1, .broken_from = 1, .remote_errors = true},
       -1,
       {"rank 1 on n1 failed in all_reduce_fast 'second' (#",
        "): unhandled system error: a cable was pulled"}},
      {"a call fails",
       {.failing_call = "ncclSend", .failing_rank = 0},
       -1,
       {"rank 0 on n0 failed in all_to_all 'third' (#",
        "): ncclSend failed on rank 0: unhandled system error: as the test wants ("}},
  };
  return cases;
}

void use_all_verbs(DeviceRank& rank, std::vector<float>& values) {
  rank.ranks->all_reduce_fast("second", values, &rank.compute);
  const int next = (rank.ranks->host().rank() + 1) % kRanks;
  const int last = (rank.ranks->host().rank() + 2) % kRanks;
  const Piece<const float> send{next, std::span(values).first(10)};
  const Piece<float> receive{last, std::span(values).subspan(10, 10)};
  rank.ranks->wait();
  rank.ranks->exchange("third", {&send, 1}, {&receive, 1}, &rank.compute);
  rank.ranks->wait();
}

TEST(NcclRun, EndsOnAllRanksWithOneLine) {
  for (const RunCase& c : run_cases()) {
    SCOPED_TRACE(c.name);
    fake_nccl::set(c.knobs);
    std::latch others_ended(c.absent < 0 ? 0 : kRanks - 1);
    const auto messages = messages_of([&](Communicator& host) {
      std::vector<float> values(100);  // outlives the streams
      DeviceRank rank(host, hasty());
      rank.ranks->all_reduce_fast("first", values, &rank.compute);
      rank.ranks->wait();
      if (host.rank() == c.absent) return others_ended.wait();
      try {
        use_all_verbs(rank, values);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const SystemFailure& error) {
        EXPECT_FALSE(fake_nccl::in_group());
        // Nothing more is possible, and says why.
        EXPECT_THROW(
            try { rank.ranks->poll(); } catch (const NcclError& again) {
              EXPECT_STREQ(again.what(), error.what());
              throw;
            },
            NcclError);
        if (c.absent >= 0) others_ended.count_down();
        throw;
      }
    });
    for (int r = 0; r < kRanks; ++r) {
      if (r != c.absent) expect_said(messages[static_cast<size_t>(r)], c.said);
    }
    EXPECT_EQ(fake_nccl::alive(), 0);
  }
}

TEST(NcclRun, ASumNamesTheRankThatNeverBegan) {
  fake_nccl::set({});
  std::latch others_ended(kRanks - 1);
  const auto messages = messages_of([&](Communicator& host) {
    std::vector<float> root(64), memory(1000), total(64);  // outlive the streams
    DeviceRank rank(host, hasty());
    const std::vector<Range> groups{{0, 64}}, slots{{0, 1}, {1, 2}, {2, 3}};
    DeviceSlotReduction reduction(*rank.ranks, groups, {&rank.exchange, &rank.gather},
                                  finish_on_stream);
    reduction.deal(slots, [&](int64_t) { return memory.data(); });
    if (host.rank() == 0) return others_ended.wait();
    const float count = 1;
    const SlotNode own{0, host.rank(), true, root.data(), &count};
    try {
      reduction.begin(0, {&own, 1}, &rank.compute);
      reduction.finish(total, &rank.compute);
      rank.ranks->wait();
    } catch (const RankFailure&) {
      others_ended.count_down();
      throw;
    }
  });
  for (const int r : {1, 2}) {
    expect_said(messages[static_cast<size_t>(r)],
                {"rank 0 on n0 gave no sign of life for 0.2 s; it did not enter all_to_all "
                 "'meta-gradient shards' (#",
                 "), where rank 1 on n1 waits"});
  }
}

TEST(NcclRun, ARankBehindIsTheOneThatIsStuck) {
  fake_nccl::set({});
  const auto messages = messages_of([](Communicator& host) {
    std::vector<float> values(100);
    DeviceRank rank(host, hasty());
    rank.ranks->all_reduce_fast("first", values, &rank.compute);
    if (host.rank() != 1) rank.ranks->all_reduce_fast("second", values, &rank.compute);
    // Rank 1 lives and looks after its ranks, but comes no further.
    while (true) rank.ranks->poll();
  });
  for (const std::string& message : messages) {
    expect_said(message, {"rank 1 on n1 has been stuck for 0.2 s; it did not enter all_reduce_fast "
                          "'second' (#",
                          "), where rank 0 on n0 waits; it was past all_reduce_fast 'first' (#"});
  }
}

TEST(NcclRun, AGpuThatIsStuckAloneIsNamed) {
  fake_nccl::set({});
  std::latch release(kRanks);
  const auto messages = messages_of([&](Communicator& host) {
    DeviceRank rank(host, hasty());
    if (host.rank() == 1) rank.compute.push([&] { release.wait(); });
    rank.ranks->exchange("shards", {}, {}, &rank.compute);
    try {
      while (true) rank.ranks->poll();
    } catch (const RankFailure&) {
      release.count_down();
      throw;
    }
  });
  for (const std::string& message : messages) {
    expect_said(message,
                {"rank 1 on n1 has been stuck for 0.2 s behind all_gather 'NCCL connecting' (#",
                 "); others are past all_to_all 'shards' (#"});
  }
}

// Its host is steps ahead, as all are.
TEST(NcclRun, AGpuThatOthersWaitForIsNamed) {
  fake_nccl::set({});
  std::latch release(kRanks);
  const auto messages = messages_of([&](Communicator& host) {
    std::vector<float> values(100), more(100);
    DeviceRank rank(host, hasty());
    if (host.rank() == 1) rank.compute.push([&] { release.wait(); });
    rank.ranks->all_reduce_fast("first", values, &rank.compute);
    rank.ranks->all_reduce_fast("second", more, &rank.compute);
    try {
      rank.ranks->wait();
    } catch (const RankFailure&) {
      release.count_down();
      throw;
    }
  });
  for (const std::string& message : messages) {
    expect_said(message, {"rank 1 on n1 has been stuck for 0.2 s; it did not enter all_reduce_fast "
                          "'first' (#",
                          "), where rank 0 on n0 waits"});
  }
}

TEST(NcclRun, ARankThatFailsOtherwiseReleasesTheRest) {
  fake_nccl::set({});
  const auto body = [](Communicator& host) {
    std::vector<float> values(100);
    DeviceRank rank(host);
    if (host.rank() == 1) throw BadInput("no more");
    rank.ranks->all_reduce_fast("meta-gradient", values, &rank.compute);
    EXPECT_THROW(rank.ranks->wait(), RankFailure);
  };
  EXPECT_THROW(run_ranks(kRanks, body), BadInput);
  EXPECT_EQ(fake_nccl::alive(), 0);
}

}  // namespace
}  // namespace outerloop::comm
