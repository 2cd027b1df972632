#include "outerloop/comm/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "outerloop/base/stopwatch.h"
#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/slot_reduction.h"

namespace outerloop::comm {
namespace {

using Vector = std::vector<float>;

std::shared_ptr<Vector> vector_of(int64_t elements, float value = 0) {
  return std::make_shared<Vector>(static_cast<size_t>(elements), value);
}

bool all_are(std::span<const float> values, float expected) {
  return std::ranges::all_of(values, [&](float value) { return value == expected; });
}

float sum_of_ranks(const Communicator& ranks) {
  return static_cast<float>(ranks.size() * (ranks.size() + 1) / 2);
}

float own_value(const Communicator& ranks) {
  return static_cast<float>(ranks.rank() + 1);
}

// Slots as of a meta-gradient, one on each rank.
CollectiveCase ordered_sum(Communicator& ranks, int64_t elements) {
  struct State {
    State(Communicator& r, int64_t n)
        : pool(1), reduction(r, pool, std::vector<Range>{{0, n}}), total(static_cast<size_t>(n)) {
      std::vector<Range> slots;
      for (int i = 0; i < r.size(); ++i) slots.push_back({i, i + 1});
      reduction.deal(slots);
    }
    ThreadPool pool;
    SlotReduction reduction;
    Vector total;
  };
  const auto state = std::make_shared<State>(ranks, elements);
  const auto own = vector_of(elements);
  return {[=, &ranks] { std::ranges::fill(*own, own_value(ranks)); },
          [=, &ranks] {
            const SlotNode node{0, ranks.rank(), true, own->data()};
            state->reduction.begin(0, {&node, 1});
            state->reduction.finish(state->total);
          },
          [=, &ranks] { return all_are(state->total, sum_of_ranks(ranks)); }};
}

CollectiveCase fast_sum(Communicator& ranks, int64_t elements) {
  const auto values = vector_of(elements);
  return {[=, &ranks] { std::ranges::fill(*values, own_value(ranks)); },
          [=, &ranks] { ranks.all_reduce_fast("bench", std::span(*values)); },
          [=, &ranks] { return all_are(*values, sum_of_ranks(ranks)); }};
}

CollectiveCase broadcast(Communicator& ranks, int64_t elements) {
  const auto values = vector_of(elements);
  return {[=, &ranks] { std::ranges::fill(*values, own_value(ranks)); },
          [=, &ranks] { ranks.broadcast("bench", std::span(*values), 0); },
          [=] { return all_are(*values, 1); }};
}

// Whether part r of equal parts holds r + 1.
bool holds_ranks(const Communicator& ranks, std::span<const float> all) {
  const size_t part = all.size() / static_cast<size_t>(ranks.size());
  for (size_t r = 0; r < static_cast<size_t>(ranks.size()); ++r) {
    if (!all_are(all.subspan(r * part, part), static_cast<float>(r + 1))) return false;
  }
  return true;
}

CollectiveCase gather(Communicator& ranks, int64_t elements) {
  const int64_t part = std::max<int64_t>(elements / ranks.size(), 1);
  const auto own = vector_of(part, own_value(ranks));
  const auto all = vector_of(part * ranks.size());
  return {[=] { std::ranges::fill(*all, 0.0f); },
          [=, &ranks] { ranks.all_gather<float>("bench", *own, *all); },
          [=, &ranks] { return holds_ranks(ranks, *all); }};
}

CollectiveCase exchange(Communicator& ranks, int64_t elements) {
  const int64_t part = std::max<int64_t>(elements / ranks.size(), 1);
  const auto own = vector_of(part * ranks.size(), own_value(ranks));
  const auto all = vector_of(part * ranks.size());
  const std::vector<int64_t> counts(static_cast<size_t>(ranks.size()), part);
  return {[=] { std::ranges::fill(*all, 0.0f); },
          [=, &ranks] { ranks.all_to_all_v<float>("bench", *own, counts, *all, counts); },
          [=, &ranks] { return holds_ranks(ranks, *all); }};
}

std::vector<CollectiveKind> kinds_of_memory(Communicator& ranks) {
  using Make = CollectiveCase (*)(Communicator&, int64_t);
  const auto with = [&](Make make) {
    return [make, &ranks](int64_t elements) { return make(ranks, elements); };
  };
  return {{"ordered sum", 2, with(ordered_sum)},
          {"fast sum", 2, with(fast_sum)},
          {"all_gather", 1, with(gather)},
          {"all_to_all", 1, with(exchange)},
          {"broadcast", 0, with(broadcast)}};
}

double seconds_of_calls(Communicator& ranks, const CollectiveCase& one, int64_t calls) {
  double sum = 0;
  for (int64_t i = 0; i < calls; ++i) {
    one.reset();
    ranks.barrier("bench");
    const Stopwatch watch;
    one.call();
    sum += watch.seconds();
  }
  ranks.all_reduce("bench", std::span(&sum, 1), Reduction::max);
  return sum / static_cast<double>(calls);
}

CollectiveSpeed measure(Communicator& ranks, const CollectiveKind& kind, int64_t bytes,
                        double seconds) {
  const CollectiveCase one = kind.make(bytes / static_cast<int64_t>(sizeof(float)));
  const double guess = seconds_of_calls(ranks, one, 2);
  OL_ASSERT(one.is_right(), fmt::format("{} of {} bytes gives a wrong result on rank {} of {}",
                                        kind.what, bytes, ranks.rank(), ranks.size()));
  const auto calls = std::clamp<int64_t>(static_cast<int64_t>(seconds / guess), 3, 10'000);
  CollectiveSpeed speed{.what = kind.what, .bytes = bytes};
  speed.seconds = seconds_of_calls(ranks, one, calls);
  speed.algbw = static_cast<double>(bytes) / speed.seconds;
  const double others = static_cast<double>(ranks.size() - 1) / ranks.size();
  speed.busbw =
      speed.algbw * (kind.crossing_times_ranks > 0 ? kind.crossing_times_ranks * others : 1);
  return speed;
}

}  // namespace

std::vector<CollectiveSpeed> measure_collectives(Communicator& ranks,
                                                 const std::vector<CollectiveKind>& kinds,
                                                 const CollectiveBench& options) {
  std::vector<CollectiveSpeed> speeds;
  for (const CollectiveKind& kind : kinds) {
    for (int64_t bytes = options.least_bytes; bytes <= options.most_bytes; bytes *= 4) {
      speeds.push_back(measure(ranks, kind, bytes, options.seconds));
    }
  }
  return speeds;
}

std::vector<CollectiveSpeed> measure_collectives(Communicator& ranks,
                                                 const CollectiveBench& options) {
  return measure_collectives(ranks, kinds_of_memory(ranks), options);
}

}  // namespace outerloop::comm
