#include "train/rank_sum.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace outerloop::train {

RankSum::RankSum(comm::Communicator& ranks, std::optional<Speed> speed, config::Numerics reduction,
                 TaskResults& results, std::unique_ptr<GradientSum> sum)
    : ranks_(ranks),
      results_(results),
      ordered_(reduction == config::Numerics::ordered),
      takes_any_(speed.has_value()),
      plan_(ranks, results.slots(), speed ? speed->at_once : 1, speed ? speed->rest : 0),
      sum_(std::move(sum)),
      root_{.level = static_cast<int>(std::bit_width(static_cast<uint64_t>(results.slots() - 1))),
            .present = true,  // zeros where no slot is
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
  if (!takes_any_ || !plan_.measured(seconds)) return false;
  deal();
  return true;
}

int64_t RankSum::resting() const {
  return takes_any_ ? plan_.resting() : std::numeric_limits<int64_t>::max();
}

int RankSum::owner(int64_t slot) const {
  const auto has = [slot](const comm::Range& r) { return r.first <= slot && slot < r.end; };
  return static_cast<int>(std::ranges::find_if(plan_.slots(), has) - plan_.slots().begin());
}

std::span<float> RankSum::own_results() {
  return results_.numbers().subspan(static_cast<size_t>(own_slots().first * results_.width()),
                                    static_cast<size_t>(own_slots().size() * results_.width()));
}

void RankSum::gather_results() {
  ranks_.all_gather_v("task results", own_results(), results_.numbers(), result_counts_);
}

void RankSum::gather_results(int64_t steps, const std::function<void(int64_t)>& fill) {
  kept_.resize(results_.numbers().size() * static_cast<size_t>(steps));
  kept_counts_.clear();
  for (const int64_t count : result_counts_) kept_counts_.push_back(count * steps);
  const std::span<float> own = own_results();
  const auto first = static_cast<size_t>(own_slots().first * results_.width() * steps);
  const auto all_own = std::span(kept_).subspan(first, own.size() * static_cast<size_t>(steps));
  for (int64_t i = 0; i < steps; ++i) {
    fill(i);
    std::ranges::copy(own, all_own.begin() + i * std::ssize(own));
  }
  ranks_.all_gather_v("task results", all_own, std::span(kept_), kept_counts_);
}

void RankSum::give_results(int64_t step) {
  auto from = kept_.cbegin();
  auto to = results_.numbers().begin();
  for (size_t r = 0; r < result_counts_.size(); ++r) {
    std::copy_n(from + step * result_counts_[r], result_counts_[r], to);
    from += kept_counts_[r];
    to += result_counts_[r];
  }
}

std::span<const comm::SlotNode> RankSum::finish(std::span<const comm::SlotNode> nodes) {
  ordered_ ? sum_->finish() : sum_->sum_fast(nodes);
  return {&root_, 1};
}

}  // namespace outerloop::train
