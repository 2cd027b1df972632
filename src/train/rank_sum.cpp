#include "train/rank_sum.h"

#include <algorithm>
#include <bit>

#include "outerloop/optim/outer.h"

namespace outerloop::train {
namespace {

constexpr int64_t kMostGroups = 8;
constexpr int64_t kLeastGroup = int64_t{1} << 14;  // elements: smaller messages are all latency

std::vector<comm::Range> groups_of(int64_t elements) {
  const int64_t groups = std::clamp<int64_t>(elements / kLeastGroup, 1, kMostGroups);
  std::vector<comm::Range> result = dealt({0, elements / optim::kThetaAlignment}, groups);
  for (comm::Range& range : result) {
    range = {range.first * optim::kThetaAlignment, range.end * optim::kThetaAlignment};
  }
  return result;
}

}  // namespace

std::vector<comm::Range> dealt(const comm::Range& whole, int64_t parts) {
  std::vector<comm::Range> result;
  for (int64_t i = 0; i < parts; ++i) {
    result.push_back(
        {whole.first + whole.size() * i / parts, whole.first + whole.size() * (i + 1) / parts});
  }
  return result;
}

RankSum::RankSum(comm::Communicator& ranks, ThreadPool& pool, int64_t elements, int64_t slots,
                 int64_t results_per_slot)
    : ranks_(ranks),
      slots_(dealt({0, slots}, ranks.size())),
      groups_(groups_of(elements)),
      reduction_(ranks, pool, groups_),
      total_(DType::f32, Shape{elements}),
      root_{.level = static_cast<int>(std::bit_width(static_cast<uint64_t>(slots - 1))),
            .data = total_.as<float>().data()} {
  reduction_.deal(slots_);
  for (const comm::Range& range : slots_) result_counts_.push_back(range.size() * results_per_slot);
}

const comm::Range& RankSum::own_slots() const {
  return slots_[static_cast<size_t>(ranks_.rank())];
}

std::span<const comm::SlotNode> RankSum::gather(std::span<const comm::SlotNode> nodes,
                                                std::span<float> results) {
  for (size_t group = 0; group < groups_.size(); ++group) reduction_.begin(group, nodes);
  int64_t first = 0;
  for (int r = 0; r < ranks_.rank(); ++r) first += result_counts_[static_cast<size_t>(r)];
  const auto own =
      results.subspan(static_cast<size_t>(first),
                      static_cast<size_t>(result_counts_[static_cast<size_t>(ranks_.rank())]));
  ranks_.all_gather_v("task results", own, results, result_counts_);
  root_.present = reduction_.finish(total_.as<float>());
  return {&root_, 1};
}

}  // namespace outerloop::train
