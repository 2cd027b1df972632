#include "outerloop/comm/device_slot_reduction.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::comm {
namespace {

int64_t aligned(int64_t elements) {
  return (elements + kLineElements - 1) / kLineElements * kLineElements;
}

}  // namespace

DeviceSlotReduction::DeviceSlotReduction(DeviceRanks& ranks, std::span<const Range> groups,
                                         const ReductionStreams& streams, FinishTree finish_tree)
    : ranks_(ranks),
      streams_(streams),
      finish_tree_(std::move(finish_tree)),
      plan_(ranks.host().rank(), ranks.host().size(), groups),
      groups_(groups.size()),
      ordered_(ranks.device().make_event()) {
  for (Group& group : groups_) group.exchanged = ranks.device().make_event();
}

DeviceSlotReduction::~DeviceSlotReduction() {
  for (const Group& group : groups_) ranks_.device().free_event(group.exchanged);
  ranks_.device().free_event(ordered_);
}

void DeviceSlotReduction::deal(std::span<const Range> slots, const DeviceMemory& memory) {
  OL_ASSERT(begun_.empty(), "slots are dealt while they are summed up");
  plan_.deal(slots);
  const int64_t each = aligned(plan_.own_elements());
  const auto others = static_cast<int64_t>(plan_.others());
  float* const base = memory(others * each + others);
  received_.clear();
  for (int64_t i = 0; i < others; ++i) received_.push_back(base + i * each);
  counts_ = base + others * each;
}

void DeviceSlotReduction::order(DeviceStream earlier, DeviceStream later) {
  ranks_.device().record(ordered_, earlier);
  ranks_.device().wait_for(later, ordered_);
}

void DeviceSlotReduction::begin(size_t index, std::span<const SlotNode> roots, DeviceStream ready) {
  Group& group = groups_.at(index);
  OL_ASSERT(plan_.dealt() && !group.begun, fmt::format("group {} begins out of turn", index));
  plan_.check_own(roots);
  group.begun = true;
  group.own.assign(roots.begin(), roots.end());
  plan_.list_pieces(plan_.groups()[index], group.own, nullptr, received_, pieces_);
  if (begun_.empty()) plan_.list_counts(group.own, counts_, pieces_);
  begun_.push_back(index);
  order(ready, streams_.exchange);
  ranks_.exchange("meta-gradient shards", pieces_.sends, pieces_.receives, streams_.exchange);
  ranks_.device().record(group.exchanged, streams_.exchange);
}

void DeviceSlotReduction::finish(std::span<float> total, DeviceStream after) {
  OL_ASSERT(static_cast<int64_t>(total.size()) == plan_.elements(),
            fmt::format("{} sums of {} elements", total.size(), plan_.elements()));
  OL_ASSERT(begun_.size() == groups_.size(), "a sum is finished before all its groups began");
  const auto in_total = [&](const Range& range) {
    return total.subspan(static_cast<size_t>(range.first), static_cast<size_t>(range.size()));
  };
  for (const size_t index : begun_) {
    const Group& group = groups_[index];
    const ExchangePlan::Group& planned = plan_.groups()[index];
    plan_.list_counted_nodes(planned, group.own, received_, counts_, nodes_);
    ranks_.device().wait_for(streams_.gather, group.exchanged);
    finish_tree_(index, nodes_, in_total(plan_.own_shard(planned)), streams_.gather);
    ranks_.all_gather_v("meta-gradient", in_total(planned.elements), planned.shard_sizes,
                        streams_.gather);
  }
  end_round(streams_.gather, after);
}

void DeviceSlotReduction::drop(DeviceStream after) {
  end_round(streams_.exchange, after);
}

// The next round writes where this one reads.
void DeviceSlotReduction::end_round(DeviceStream last, DeviceStream after) {
  order(last, after);
  order(last, streams_.exchange);
  for (Group& group : groups_) group.begun = false;
  begun_.clear();
}

}  // namespace outerloop::comm
