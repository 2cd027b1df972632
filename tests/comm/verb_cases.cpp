#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

#include "comm/conformance.h"

namespace outerloop::comm {
namespace {

using Counts = std::vector<int64_t>;

// Odd ones, and more than the chunk that the tests set.
constexpr std::array<int64_t, 6> kSizes{0, 1, 3, 130, 1001, 10007};

template <class T>
T value(int from, int to, int64_t i) {
  return static_cast<T>(from * 1'000'003 + to * 10'007 + i);
}

// What rank `from` has for rank `to`.
template <class T>
std::vector<T> message(int from, int to, int64_t count) {
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(value<T>(from, to, i));
  return values;
}

template <class T>
void append(std::vector<T>& all, const std::vector<T>& part) {
  all.insert(all.end(), part.begin(), part.end());
}

int64_t sum(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

void barrier_waits_for_the_last(Communicator& ranks) {
  using Clock = std::chrono::steady_clock;  // one for all processes of a machine
  std::this_thread::sleep_for(std::chrono::milliseconds(ranks.rank() == ranks.size() - 1 ? 20 : 0));
  std::array<int64_t, 2> mine{};
  mine[0] = Clock::now().time_since_epoch().count();
  ranks.barrier("waiting");
  mine[1] = Clock::now().time_since_epoch().count();
  std::vector<int64_t> all(2 * static_cast<size_t>(ranks.size()));
  ranks.all_gather("times", mine, std::span(all));
  for (size_t a = 0; a < all.size(); a += 2) {
    for (size_t b = 1; b < all.size(); b += 2) EXPECT_LE(all[a], all[b]);
  }
}

template <class T>
void broadcast_of(Communicator& ranks) {
  for (int root = 0; root < ranks.size(); ++root) {
    for (const int64_t size : kSizes) {
      const auto expected = message<T>(root, 0, size);
      auto values = ranks.rank() == root ? expected : std::vector<T>(expected.size());
      ranks.broadcast("theta", std::span(values), root);
      EXPECT_EQ(values, expected) << "root " << root;
    }
  }
}

void broadcast_copies_the_roots_values(Communicator& ranks) {
  broadcast_of<char>(ranks);
  broadcast_of<int32_t>(ranks);
  broadcast_of<double>(ranks);
}

void all_gather_orders_by_rank(Communicator& ranks) {
  for (const int64_t size : kSizes) {
    std::vector<int64_t> expected;
    for (int r = 0; r < ranks.size(); ++r) append(expected, message<int64_t>(r, 0, size));
    const auto mine = message<int64_t>(ranks.rank(), 0, size);
    std::vector<int64_t> all(expected.size());
    ranks.all_gather("gather", mine, std::span(all));
    EXPECT_EQ(all, expected);
  }
}

// Rank r has this many; rank 1 (and at other factors others) none.
Counts uneven_counts(int ranks, int64_t factor) {
  Counts counts;
  for (int r = 0; r < ranks; ++r) counts.push_back((r * 3 + 1) % 4 * factor);
  return counts;
}

void all_gather_v_takes_any_sizes(Communicator& ranks) {
  for (const int64_t factor : {0, 1, 77, 1501}) {
    const Counts counts = uneven_counts(ranks.size(), factor);
    const int64_t own = counts[static_cast<size_t>(ranks.rank())];
    std::vector<float> expected;
    int64_t offset = 0;
    for (int r = 0; r < ranks.size(); ++r) {
      if (r == ranks.rank()) offset = static_cast<int64_t>(expected.size());
      append(expected, message<float>(r, 0, counts[static_cast<size_t>(r)]));
    }
    const auto mine = message<float>(ranks.rank(), 0, own);
    std::vector<float> all(expected.size(), -1);
    ranks.all_gather_v("gather", mine, std::span(all), counts);
    EXPECT_EQ(all, expected) << "blocking";

    std::ranges::fill(all, -1.0f);
    Pending pending = ranks.start_all_gather_v("gather", mine, std::span(all), counts);
    pending.wait();
    EXPECT_EQ(all, expected) << "started";

    // In place.
    std::ranges::fill(all, -1.0f);
    std::ranges::copy(mine, all.begin() + offset);
    const std::span<const float> place(all.data() + offset, mine.size());
    ranks.all_gather_v("gather", place, std::span(all), counts);
    EXPECT_EQ(all, expected) << "in place";
  }
}

// From rank i to rank j; some rows and columns are empty.
int64_t traded(int from, int to, int64_t factor) {
  return from % 3 == 1 ? 0 : (2 * from + 5 * to) % 4 * factor;
}

template <class T>
struct Trade {
  Trade(const Communicator& ranks, int64_t factor) {
    for (int r = 0; r < ranks.size(); ++r) {
      send_counts.push_back(traded(ranks.rank(), r, factor));
      receive_counts.push_back(traded(r, ranks.rank(), factor));
      append(send, message<T>(ranks.rank(), r, send_counts.back()));
      append(expected, message<T>(r, ranks.rank(), receive_counts.back()));
    }
    received.assign(expected.size(), T(-1));
  }
  Pending start(Communicator& ranks) {
    return ranks.start_all_to_all_v("trade", send, send_counts, std::span(received),
                                    receive_counts);
  }
  Counts send_counts, receive_counts;
  std::vector<T> send, expected, received;
};

template <class T>
void all_to_all_of(Communicator& ranks) {
  for (const int64_t factor : {0, 1, 63, 2003}) {
    Trade<T> trade(ranks, factor);
    ranks.all_to_all_v("trade", trade.send, trade.send_counts, std::span(trade.received),
                       trade.receive_counts);
    EXPECT_EQ(trade.received, trade.expected);
  }
}

void all_to_all_v_takes_any_sizes(Communicator& ranks) {
  all_to_all_of<uint8_t>(ranks);
  all_to_all_of<float>(ranks);
  all_to_all_of<double>(ranks);
}

void exchange_matches_pieces_in_order(Communicator& ranks) {
  // Each rank sends three pieces to its successor, the middle one empty, the last one long.
  const int next = (ranks.rank() + 1) % ranks.size();
  const int previous = (ranks.rank() + ranks.size() - 1) % ranks.size();
  const std::array<int64_t, 3> sizes{5, 0, 3001};
  std::vector<std::vector<double>> outgoing, incoming, expected;
  std::vector<Piece<const double>> sends;
  std::vector<Piece<double>> receives;
  for (int i = 0; i < 3; ++i) {
    outgoing.push_back(message<double>(ranks.rank(), i, sizes[static_cast<size_t>(i)]));
    expected.push_back(message<double>(previous, i, sizes[static_cast<size_t>(i)]));
    incoming.emplace_back(expected.back().size());
  }
  if (ranks.size() > 1) {
    for (size_t i = 0; i < 3; ++i) {
      sends.push_back({next, outgoing[i]});
      receives.push_back({previous, incoming[i]});
    }
  } else {
    incoming = expected;
  }
  ranks.start_exchange<double>("ring", sends, receives).wait();
  EXPECT_EQ(incoming, expected);
}

void started_collectives_overlap(Communicator& ranks) {
  Trade<int32_t> a(ranks, 1), b(ranks, 900), c(ranks, 17);
  Pending first = a.start(ranks);
  Pending second = b.start(ranks);
  int64_t count = 1;
  ranks.all_reduce("between", std::span(&count, 1), Reduction::sum);
  Pending third = c.start(ranks);
  EXPECT_EQ(count, ranks.size());
  // Each rank waits in an order of its own.
  std::array<Pending*, 3> order{&first, &second, &third};
  std::ranges::rotate(order, order.begin() + ranks.rank() % 3);
  for (Pending* pending : order) pending->wait();
  EXPECT_TRUE(first.done() && second.done() && third.done());
  EXPECT_EQ(a.received, a.expected);
  EXPECT_EQ(b.received, b.expected);
  EXPECT_EQ(c.received, c.expected);
}

void test_moves_a_started_collective_to_its_end(Communicator& ranks) {
  Trade<double> trade(ranks, 1500);
  Pending pending = trade.start(ranks);
  while (!pending.test()) std::this_thread::yield();
  EXPECT_TRUE(pending.test());
  pending.wait();
  EXPECT_EQ(trade.received, trade.expected);
}

template <class T>
void all_reduce_of(Communicator& ranks, const std::vector<std::vector<T>>& inputs) {
  const auto folded = [&](auto&& f) {
    std::vector<T> result = inputs[0];
    for (size_t r = 1; r < static_cast<size_t>(ranks.size()); ++r) {
      for (size_t i = 0; i < result.size(); ++i) result[i] = f(result[i], inputs[r][i]);
    }
    return result;
  };
  const auto reduced = [&](Reduction reduction) {
    std::vector<T> values = inputs[static_cast<size_t>(ranks.rank())];
    ranks.all_reduce("reduce", std::span(values), reduction);
    return values;
  };
  EXPECT_EQ(reduced(Reduction::sum), folded([](T a, T b) { return a + b; }));
  EXPECT_EQ(reduced(Reduction::min), folded([](T a, T b) { return std::min(a, b); }));
  EXPECT_EQ(reduced(Reduction::max), folded([](T a, T b) { return std::max(a, b); }));
}

void all_reduce_adds_in_rank_order(Communicator& ranks) {
  std::vector<std::vector<int64_t>> integers;
  std::vector<std::vector<double>> doubles;
  for (int r = 0; r < ranks.size(); ++r) {
    integers.push_back({r, -r, (r * 5) % 7, int64_t{1} << 40});
    // Any other order rounds to other bits.
    doubles.push_back({std::pow(-1e8, r % 3), 1.0 / (r + 1), 0.1 * r});
  }
  all_reduce_of(ranks, integers);
  all_reduce_of(ranks, doubles);
  all_reduce_of<double>(ranks, std::vector<std::vector<double>>(8));
}

void all_reduce_fast_sums(Communicator& ranks) {
  for (const int64_t size : kSizes) {
    std::vector<float> values, expected;
    for (int64_t i = 0; i < size; ++i) {
      values.push_back(static_cast<float>(i * (ranks.rank() + 1)));
      expected.push_back(static_cast<float>(i * ranks.size() * (ranks.size() + 1) / 2));
    }
    ranks.all_reduce_fast("sum", std::span(values));
    EXPECT_EQ(values, expected);
  }
}

void traffic_counts_what_goes_to_others(Communicator& ranks) {
  const auto grown = [&](Verb verb, auto&& call) {
    const Traffic before = ranks.traffic(verb);
    call();
    const Traffic after = ranks.traffic(verb);
    return Traffic{after.sent - before.sent, after.received - before.received};
  };
  const int64_t others = ranks.size() - 1;
  std::vector<double> values(7);
  EXPECT_EQ(grown(Verb::broadcast, [&] { ranks.broadcast("x", std::span(values), 0); }),
            ranks.rank() == 0 ? (Traffic{56 * others, 0}) : (Traffic{0, 56}));
  EXPECT_EQ(
      grown(Verb::all_reduce, [&] { ranks.all_reduce("x", std::span(values), Reduction::max); }),
      (Traffic{56 * others, 56 * others}));
  std::vector<float> floats(static_cast<size_t>(ranks.size()) * 5);
  EXPECT_EQ(grown(Verb::all_reduce_fast, [&] { ranks.all_reduce_fast("x", std::span(floats)); }),
            (Traffic{2 * others * 20, 2 * others * 20}));
  const Counts counts = uneven_counts(ranks.size(), 3);
  const int64_t own = counts[static_cast<size_t>(ranks.rank())];
  std::vector<int32_t> all(static_cast<size_t>(sum(counts)));
  const std::vector<int32_t> mine(static_cast<size_t>(own));
  EXPECT_EQ(grown(Verb::all_gather, [&] { ranks.all_gather_v("x", mine, std::span(all), counts); }),
            (Traffic{4 * own * others, 4 * (sum(counts) - own)}));
  Trade<double> trade(ranks, 10);
  const auto self = static_cast<size_t>(ranks.rank());
  EXPECT_EQ(grown(Verb::all_to_all, [&] { trade.start(ranks).wait(); }),
            (Traffic{8 * (sum(trade.send_counts) - trade.send_counts[self]),
                     8 * (sum(trade.receive_counts) - trade.receive_counts[self])}));
}

void log_tells_the_last_collectives(Communicator& ranks) {
  const uint64_t before = ranks.log().entered();
  std::vector<float> values(4);
  ranks.broadcast("theta", std::span(values), 0);
  Trade<int32_t> trade(ranks, 2);
  Pending pending = trade.start(ranks);
  ranks.barrier("end of step");
  const Collective last = ranks.log().last();
  EXPECT_EQ(describe(last), "barrier 'end of step' (#" + std::to_string(before + 3) + ")");
  EXPECT_TRUE(last.left);
  auto recent = ranks.log().recent();
  ASSERT_GE(recent.size(), 3u);
  EXPECT_STREQ(recent[recent.size() - 3].label, "theta");
  EXPECT_EQ(recent[recent.size() - 3].bytes, ranks.rank() == 0 ? 16 * (ranks.size() - 1) : 0);
  EXPECT_STREQ(recent[recent.size() - 2].label, "trade");
  EXPECT_FALSE(recent[recent.size() - 2].left);
  pending.wait();
  EXPECT_TRUE(ranks.log().recent()[recent.size() - 2].left);
}

void sizes_that_do_not_add_up_are_refused(Communicator& ranks) {
  std::vector<float> values(3);
  const Counts counts(static_cast<size_t>(ranks.size()), 2);
  const std::vector<float> mine(2);
  EXPECT_THROW(ranks.all_gather_v("x", mine, std::span(values), counts), InternalError);
  EXPECT_THROW(ranks.all_gather("x", mine, std::span(values)), InternalError);
  EXPECT_THROW(ranks.broadcast("x", std::span(values), ranks.size()), InternalError);
  const std::vector<Piece<const float>> to_nobody{{ranks.size(), mine}};
  const std::vector<Piece<const float>> to_self{{ranks.rank(), mine}};
  EXPECT_THROW(static_cast<void>(ranks.start_exchange<float>("x", to_nobody, {})), InternalError);
  EXPECT_THROW(static_cast<void>(ranks.start_exchange<float>("x", to_self, {})), InternalError);
  ranks.barrier("nothing was sent");
}

// Takes until so many letters are there, or a deadline of ten seconds passes.
std::vector<Letter> taken(Communicator& ranks, size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::vector<Letter> letters;
  while (letters.size() < count && std::chrono::steady_clock::now() < deadline) {
    if (auto letter = ranks.take()) {
      letters.push_back(std::move(*letter));
    } else {
      std::this_thread::yield();
    }
  }
  return letters;
}

void letters_arrive_in_order_while_collectives_go_on(Communicator& ranks) {
  const std::vector<int64_t> sizes{0, 3, 200'000, 1};  // long ones overtake nothing
  EXPECT_FALSE(ranks.take());
  ranks.barrier("before the first letter");
  for (const int64_t size : sizes) {
    for (int to = 0; to < ranks.size(); ++to) {
      if (to == ranks.rank()) continue;
      const auto text = message<int32_t>(ranks.rank(), to, size);
      ranks.post(to, std::as_bytes(std::span(text)));
    }
    int64_t one = 1;
    ranks.all_reduce("between letters", std::span(&one, 1), Reduction::sum);
    EXPECT_EQ(one, ranks.size());
  }
  const auto others = static_cast<size_t>(ranks.size() - 1);
  std::vector<size_t> next(static_cast<size_t>(ranks.size()));
  for (const Letter& letter : taken(ranks, others * sizes.size())) {
    size_t& place = next[static_cast<size_t>(letter.from)];
    if (place == sizes.size()) {
      ADD_FAILURE() << "too many from rank " << letter.from;
      break;
    }
    const auto expected = message<int32_t>(letter.from, ranks.rank(), sizes[place++]);
    const auto bytes = std::as_bytes(std::span(expected));
    EXPECT_TRUE(std::ranges::equal(letter.bytes, bytes)) << "from rank " << letter.from;
  }
  for (int from = 0; from < ranks.size(); ++from) {
    EXPECT_EQ(next[static_cast<size_t>(from)], from == ranks.rank() ? 0 : sizes.size()) << from;
  }
  ranks.barrier("all letters are taken");
  EXPECT_FALSE(ranks.take());
}

void letters_to_nobody_are_refused(Communicator& ranks) {
  EXPECT_THROW(ranks.post(ranks.size(), {}), InternalError);
  EXPECT_THROW(ranks.post(-1, {}), InternalError);
  EXPECT_THROW(ranks.post(ranks.rank(), {}), InternalError);
}

constexpr ConformanceCase kVerbCases[]{
    {"BarrierWaitsForTheLast", barrier_waits_for_the_last},
    {"BroadcastCopiesTheRootsValues", broadcast_copies_the_roots_values},
    {"AllGatherOrdersByRank", all_gather_orders_by_rank},
    {"AllGatherVTakesAnySizes", all_gather_v_takes_any_sizes},
    {"AllToAllVTakesAnySizes", all_to_all_v_takes_any_sizes},
    {"ExchangeMatchesPiecesInOrder", exchange_matches_pieces_in_order},
    {"StartedCollectivesOverlap", started_collectives_overlap},
    {"TestMovesAStartedCollectiveToItsEnd", test_moves_a_started_collective_to_its_end},
    {"AllReduceAddsInRankOrder", all_reduce_adds_in_rank_order},
    {"AllReduceFastSums", all_reduce_fast_sums},
    {"LettersArriveInOrderWhileCollectivesGoOn", letters_arrive_in_order_while_collectives_go_on},
    {"LettersToNobodyAreRefused", letters_to_nobody_are_refused},
    {"TrafficCountsWhatGoesToOthers", traffic_counts_what_goes_to_others},
    {"LogTellsTheLastCollectives", log_tells_the_last_collectives},
    {"SizesThatDoNotAddUpAreRefused", sizes_that_do_not_add_up_are_refused},
};

}  // namespace

std::span<const ConformanceCase> verb_cases() {
  return kVerbCases;
}

}  // namespace outerloop::comm
