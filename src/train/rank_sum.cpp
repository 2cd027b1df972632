#include "train/rank_sum.h"

#include <algorithm>
#include <bit>

namespace outerloop::train {

RankSum::RankSum(comm::Communicator& ranks, int at_once, bool any_slots, config::Numerics reduction,
                 TaskResults& results, std::unique_ptr<GradientSum> sum)
    : ranks_(ranks),
      results_(results),
      ordered_(reduction == config::Numerics::ordered),
      any_slots_(any_slots),
      plan_(ranks, results.slots(), at_once),
      sum_(std::move(sum)),
      root_{.level = static_cast<int>(std::bit_width(static_cast<uint64_t>(results.slots() - 1))),
            .data = sum_->total()} {
  deal();
}

void RankSum::deal() {
  if (ordered_) sum_->deal(plan_.slots());
  result_counts_.clear();
  for (const comm::Range& range : plan_.slots()) {
    result_counts_.push_back(range.size() * results_.width());
  }
}

const comm::Range& RankSum::own_slots() const {
  return plan_.slots()[static_cast<size_t>(ranks_.rank())];
}

bool RankSum::plan_again(double seconds) {
  if (!any_slots_ || !plan_.measured(seconds)) return false;
  deal();
  return true;
}

int RankSum::owner(int64_t slot) const {
  const auto has = [slot](const comm::Range& r) { return r.first <= slot && slot < r.end; };
  return static_cast<int>(std::ranges::find_if(plan_.slots(), has) - plan_.slots().begin());
}

void RankSum::gather_results() {
  const std::span<float> all = results_.numbers();
  const auto own = all.subspan(static_cast<size_t>(own_slots().first * results_.width()),
                               static_cast<size_t>(own_slots().size() * results_.width()));
  ranks_.all_gather_v("task results", own, all, result_counts_);
}

std::span<const comm::SlotNode> RankSum::finish(std::span<const comm::SlotNode> nodes) {
  if (ordered_) {
    root_.present = sum_->finish();
  } else {
    sum_->sum_fast(nodes);
    root_.present = true;  // zeros where no slot is
  }
  return {&root_, 1};
}

}  // namespace outerloop::train
