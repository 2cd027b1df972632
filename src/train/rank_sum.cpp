#include "train/rank_sum.h"

#include <algorithm>
#include <bit>

namespace outerloop::train {

RankSum::RankSum(comm::Communicator& ranks, ThreadPool& pool, std::span<const comm::Range> groups,
                 TaskResults& results)
    : ranks_(ranks),
      results_(results),
      plan_(ranks, results.slots(), pool.size()),
      reduction_(ranks, pool, groups),
      total_(DType::f32, Shape{groups.back().end}),
      root_{.level = static_cast<int>(std::bit_width(static_cast<uint64_t>(results.slots() - 1))),
            .data = total_.as<float>().data()} {
  deal();
}

void RankSum::deal() {
  reduction_.deal(plan_.slots());
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

std::span<const comm::SlotNode> RankSum::finish() {
  root_.present = reduction_.finish(total_.as<float>());
  return {&root_, 1};
}

}  // namespace outerloop::train
