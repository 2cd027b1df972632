// Ranks with GPUs, against a fake NCCL and through the host: what they say to each other, and the
// sum's bits.

#include "outerloop/comm/nccl.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <numeric>
#include <thread>
#include <utility>

#include "comm/device_rank.h"
#include "comm/slot_problems.h"
#include "outerloop/comm/local.h"

namespace outerloop::comm {
namespace {

using namespace std::chrono_literals;

constexpr float kGarbage = -7e30f;

// This rank's roots on its GPU, computed late.
class RootsOnDevice {
 public:
  RootsOnDevice(const std::vector<Leaf>& leaves, const Range& slots, int64_t elements)
      : own_(leaves, slots, elements) {
    roots_ = own_.nodes;
    roots_.resize(merge_siblings(roots_, 0, elements));
    counts_.assign(roots_.size(), kGarbage);
    for (size_t i = 0; i < roots_.size(); ++i) {
      SlotNode& root = roots_[i];
      final_.emplace_back(root.data, root.data + (root.present ? elements : 0));
      final_counts_.push_back(root.present ? 1.0F : 0.0F);
      buffers_.emplace_back(static_cast<size_t>(elements), kGarbage);
      root = {root.level, root.index, true, buffers_.back().data(), &counts_[i]};
    }
  }
  std::span<const SlotNode> roots() const { return roots_; }

  void compute(const Range& elements, FakeStream& stream) {
    // The counts are there with the first group, which takes them along.
    stream.push([this, elements, is_first = !std::exchange(has_begun_, true)] {
      std::this_thread::sleep_for(100us);
      if (is_first) counts_ = final_counts_;
      for (size_t i = 0; i < roots_.size(); ++i) {
        if (final_[i].empty()) continue;
        std::copy(final_[i].begin() + elements.first, final_[i].begin() + elements.end,
                  buffers_[i].begin() + elements.first);
      }
    });
  }
  void overwrite(FakeStream& stream) {
    stream.push([this] {
      for (auto& buffer : buffers_) std::ranges::fill(buffer, kGarbage);
      std::ranges::fill(counts_, kGarbage);
    });
  }

 private:
  OwnSlots own_;
  std::vector<SlotNode> roots_;
  std::vector<std::vector<float>> final_, buffers_;
  std::vector<float> final_counts_, counts_;
  bool has_begun_ = false;
};

// Two rounds on end, the host never waiting for its GPU, which overwrites everything between them.
void check_device_sum(DeviceRank& rank, DeviceSlotReduction& reduction, const Problem& problem,
                      const Ranges& deal, double absent, uint32_t seed) {
  rank.compute.drain();
  rank.exchange.drain();
  std::vector<float> memory;
  reduction.deal(deal, [&](int64_t elements) {
    memory.assign(static_cast<size_t>(elements), kGarbage);
    return memory.data();
  });
  const Ranges groups = ranges_of(problem.groups);
  std::vector<size_t> order(groups.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::shuffle(order, std::mt19937(seed));
  const Range& own = deal[static_cast<size_t>(rank.ranks->host().rank())];
  std::vector<float> total(static_cast<size_t>(problem.elements));
  std::vector<std::vector<float>> results(2);
  std::deque<RootsOnDevice> roots;
  std::vector<Leaf> expected;
  for (auto& result : results) {
    const auto leaves = random_leaves(problem.slots, problem.elements, absent, seed++);
    expected.push_back(node_by_definition(leaves, 6, 0));
    RootsOnDevice& mine = roots.emplace_back(leaves, own, problem.elements);
    rank.compute.push([&] { std::ranges::fill(total, kGarbage); });
    for (const size_t g : order) {
      mine.compute(groups[g], rank.compute);
      reduction.begin(g, mine.roots(), &rank.compute);
    }
    reduction.finish(total, &rank.compute);
    rank.compute.push([&] { result = total; });
    mine.overwrite(rank.compute);
  }
  rank.ranks->wait();
  rank.compute.drain();
  for (size_t i = 0; i < results.size(); ++i) {
    expect_bits(results[i], expected[i],
                std::to_string(problem.slots) + " slots, round " + std::to_string(i));
  }
}

void sum_has_the_bits_of_the_definition(DeviceRank& rank) {
  const int size = rank.ranks->host().size();
  uint32_t seed = 0;
  for (const Problem& problem : problems()) {
    DeviceSlotReduction reduction(*rank.ranks, ranges_of(problem.groups),
                                  {&rank.exchange, &rank.gather}, finish_on_stream);
    for (const double absent : {0.0, 0.3, 1.0}) {
      seed += 10;
      check_device_sum(rank, reduction, problem, evenly(problem.slots, size), absent, seed);
      check_device_sum(rank, reduction, problem, at_random(problem.slots, size, seed), absent,
                       seed);
    }
  }
}

void sum_can_be_dropped(DeviceRank& rank) {
  const Problem problem{9, 200, {0, 64, 200}};
  const Ranges deal = evenly(problem.slots, rank.ranks->host().size());
  DeviceSlotReduction reduction(*rank.ranks, ranges_of(problem.groups),
                                {&rank.exchange, &rank.gather}, finish_on_stream);
  std::vector<float> memory;
  reduction.deal(deal, [&](int64_t elements) {
    memory.resize(static_cast<size_t>(elements));
    return memory.data();
  });
  RootsOnDevice roots(random_leaves(problem.slots, problem.elements, 0.2, 1),
                      deal[static_cast<size_t>(rank.ranks->host().rank())], problem.elements);
  roots.compute({0, 200}, rank.compute);
  reduction.begin(1, roots.roots(), &rank.compute);
  reduction.drop(&rank.compute);
  roots.overwrite(rank.compute);
  check_device_sum(rank, reduction, problem, deal, 0.2, 2);
}

// The next round's shards come where this one's are read, and another stream makes its roots ready.
void next_round_waits_for_the_tree(DeviceRank& rank) {
  const Problem problem{8, 100, {0, 100}};
  const Ranges deal = evenly(problem.slots, rank.ranks->host().size());
  std::vector<float> memory;
  std::array<std::vector<float>, 2> totals;
  std::deque<RootsOnDevice> roots;
  DeviceSlotReduction reduction(
      *rank.ranks, ranges_of(problem.groups), {&rank.exchange, &rank.gather},
      [](size_t group, std::span<const SlotNode> nodes, std::span<float> sums,
         DeviceStream stream) {
        static_cast<FakeStream*>(stream)->push([] { std::this_thread::sleep_for(5ms); });
        finish_on_stream(group, nodes, sums, stream);
      });
  reduction.deal(deal, [&](int64_t elements) {
    memory.resize(static_cast<size_t>(elements));
    return memory.data();
  });
  for (uint32_t round = 0; round < 2; ++round) {
    totals[round].resize(100);
    const auto leaves = random_leaves(problem.slots, problem.elements, 0.2, round);
    RootsOnDevice& mine = roots.emplace_back(
        leaves, deal[static_cast<size_t>(rank.ranks->host().rank())], problem.elements);
    mine.compute({0, 100}, rank.backward);
    reduction.begin(0, mine.roots(), &rank.backward);
    reduction.finish(totals[round], &rank.compute);
  }
  rank.ranks->wait();
  for (uint32_t round = 0; round < 2; ++round) {
    const auto leaves = random_leaves(problem.slots, problem.elements, 0.2, round);
    expect_bits(totals[round], node_by_definition(leaves, 6, 0), "round " + std::to_string(round));
  }
}

// As SlotReduction over the host does.
void sum_sends_what_the_formula_says(DeviceRank& rank) {
  Communicator& host = rank.ranks->host();
  const int64_t others = host.size() - 1;
  const int64_t elements = 16 * 5 * host.size();  // even shards
  DeviceSlotReduction reduction(*rank.ranks, ranges_of({0, elements}),
                                {&rank.exchange, &rank.gather}, finish_on_stream);
  for (const int64_t slots : {8, 25}) {
    const Ranges deal = evenly(slots, host.size());
    const Range own = deal[static_cast<size_t>(host.rank())];
    const auto roots = static_cast<int64_t>(subtree_roots(own.first, own.end).size());
    const auto sent = [&] {
      return host.traffic(Verb::all_to_all).sent + host.traffic(Verb::all_gather).sent;
    };
    const int64_t before = sent();
    check_device_sum(rank, reduction, {slots, elements, {0, elements}}, deal, 0.1, 9);
    EXPECT_EQ(sent() - before,
              2 * ((roots + 1) * others * 4 * elements / host.size() + 4 * roots * others));
  }
}

void fast_sum_adds_up(DeviceRank& rank) {
  const int size = rank.ranks->host().size();
  std::vector<float> values(1000);
  rank.compute.push([&] {
    std::this_thread::sleep_for(1ms);
    std::iota(values.begin(), values.end(), static_cast<float>(rank.ranks->host().rank()));
  });
  rank.ranks->all_reduce_fast("meta-gradient", values, &rank.compute);
  rank.ranks->wait();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(values[static_cast<size_t>(i)], static_cast<float>(size * i + size * (size - 1) / 2));
  }
}

void every_collective_enters_the_log(DeviceRank& rank) {
  Communicator& host = rank.ranks->host();
  std::vector<float> values(64);
  rank.ranks->all_reduce_fast("first", values, &rank.compute);
  rank.ranks->wait();
  host.barrier("in between");
  const uint64_t before = host.log().entered();
  rank.ranks->exchange("second", {}, {}, &rank.compute);
  const Collective last = host.log().last();
  EXPECT_EQ(describe(last), "all_to_all 'second' (#" + std::to_string(before + 1) + ")");
  rank.ranks->wait();
  for (const Collective& collective : host.log().recent()) EXPECT_TRUE(collective.left);
}

struct DeviceCase {
  const char* name;
  void (*run)(DeviceRank& rank);
};
constexpr DeviceCase kCases[]{
    {"SumHasTheBitsOfTheDefinition", sum_has_the_bits_of_the_definition},
    {"SumCanBeDropped", sum_can_be_dropped},
    {"NextRoundWaitsForTheTree", next_round_waits_for_the_tree},
    {"SumSendsWhatTheFormulaSays", sum_sends_what_the_formula_says},
    {"FastSumAddsUp", fast_sum_adds_up},
    {"EveryCollectiveEntersTheLog", every_collective_enters_the_log},
};

// For all tests of the program.
const int kFakeIsLoaded = setenv("OUTERLOOP_NCCL", OUTERLOOP_FAKE_NCCL, 1);

class RanksOfGpus : public testing::TestWithParam<std::tuple<int, DeviceCase>> {};

void run_to_the_end(DeviceRank& rank, const DeviceCase& checked) {
  std::vector<float> values(100);
  checked.run(rank);
  rank.compute.push([] { std::this_thread::sleep_for(1ms); });
  rank.ranks->all_reduce_fast("the last one", values, &rank.compute);
  rank.ranks->finish();
  EXPECT_TRUE(rank.ranks->host().log().last().left);
}

TEST_P(RanksOfGpus, ConformByNccl) {
  const auto& [size, checked] = GetParam();
  ASSERT_EQ(kFakeIsLoaded, 0);
  fake_nccl::set({.in_order = false});  // it is not relied on
  run_ranks(size, [checked = checked](Communicator& host) {
    DeviceRank rank(host);
    run_to_the_end(rank, checked);
    EXPECT_THROW(rank.ranks->poll(), NcclError);
  });
  EXPECT_EQ(fake_nccl::alive(), 0);
}

TEST_P(RanksOfGpus, ConformThroughTheHost) {
  const auto& [size, checked] = GetParam();
  run_ranks(size, [checked = checked](Communicator& host) {
    DeviceRank rank(host, ByHost{});
    run_to_the_end(rank, checked);
  });
}

std::string name_of(const testing::TestParamInfo<RanksOfGpus::ParamType>& info) {
  const auto& [size, checked] = info.param;
  return std::string(checked.name) + "_" + std::to_string(size);
}

INSTANTIATE_TEST_SUITE_P(cases, RanksOfGpus,
                         testing::Combine(testing::Values(1, 2, 3, 4, 8),
                                          testing::ValuesIn(kCases)),
                         name_of);

}  // namespace
}  // namespace outerloop::comm
