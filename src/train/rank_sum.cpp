#include "train/rank_sum.h"

#include <algorithm>
#include <bit>

namespace outerloop::train {

RankSum::RankSum(comm::Communicator& ranks, ThreadPool& pool, config::Numerics reduction,
                 std::span<const comm::Range> groups, TaskResults& results)
    : ranks_(ranks),
      pool_(pool),
      results_(results),
      ordered_(reduction == config::Numerics::ordered),
      plan_(ranks, results.slots(), pool.size()),
      reduction_(ranks, pool, groups),
      total_(DType::f32, Shape{groups.back().end}),
      root_{.level = static_cast<int>(std::bit_width(static_cast<uint64_t>(results.slots() - 1))),
            .data = total_.as<float>().data()} {
  deal();
}

void RankSum::deal() {
  if (ordered_) reduction_.deal(plan_.slots());
  result_counts_.clear();
  for (const comm::Range& range : plan_.slots()) {
    result_counts_.push_back(range.size() * results_.width());
  }
}

const comm::Range& RankSum::own_slots() const {
  return plan_.slots()[static_cast<size_t>(ranks_.rank())];
}

bool RankSum::plan_again(double seconds) {
  if (!plan_.measured(seconds)) return false;
  deal();
  return true;
}

int RankSum::owner(int64_t slot) const {
  const auto has = [slot](const comm::Range& r) { return r.first <= slot && slot < r.end; };
  return static_cast<int>(std::ranges::find_if(plan_.slots(), has) - plan_.slots().begin());
}

void RankSum::begin(size_t group, std::span<const comm::SlotNode> nodes) {
  reduction_.poll();  // moves the groups before it along
  reduction_.begin(group, nodes);
}

void RankSum::gather_results() {
  const std::span<float> all = results_.numbers();
  const auto own = all.subspan(static_cast<size_t>(own_slots().first * results_.width()),
                               static_cast<size_t>(own_slots().size() * results_.width()));
  ranks_.all_gather_v("task results", own, all, result_counts_);
}

std::span<const comm::SlotNode> RankSum::finish(std::span<const comm::SlotNode> nodes) {
  if (ordered_) {
    root_.present = reduction_.finish(total_.as<float>());
  } else {
    sum_fast(nodes);
    root_.present = true;  // zeros where no slot is
  }
  return {&root_, 1};
}

void RankSum::sum_fast(std::span<const comm::SlotNode> nodes) {
  const std::vector<comm::Range> parts = dealt({0, total_.elements()}, pool_.size());
  pool_.run([&](int thread) {
    const auto& [first, end] = parts[static_cast<size_t>(thread)];
    const std::span<float> total = total_.as<float>();
    std::fill(total.begin() + first, total.begin() + end, 0.0f);
    comm::add_nodes(nodes, first, end, total);
  });
  ranks_.all_reduce_fast("meta-gradient", total_.as<float>());
}

}  // namespace outerloop::train
