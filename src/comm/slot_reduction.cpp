#include "outerloop/comm/slot_reduction.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::comm {

SlotReduction::SlotReduction(Communicator& ranks, ThreadPool& pool, std::span<const Range> groups)
    : ranks_(ranks),
      pool_(pool),
      plan_(ranks.rank(), ranks.size(), groups),
      groups_(groups.size()),
      absent_(DType::f32, Shape{plan_.longest_shard()}) {
  begun_.reserve(groups.size());
}

void SlotReduction::deal(std::span<const Range> slots) {
  OL_ASSERT(begun_.empty(), "slots are dealt while they are summed up");
  plan_.deal(slots);
  buffers_.clear();
  received_.clear();
  for (size_t i = 0; i < plan_.others(); ++i) {
    buffers_.emplace_back(DType::f32, Shape{plan_.own_elements()});
    received_.push_back(buffers_.back().as<float>().data());
  }
  for (Group& group : groups_) group.present.resize(plan_.roots());
}

void SlotReduction::begin(size_t index, std::span<const SlotNode> nodes) {
  Group& group = groups_.at(index);
  const ExchangePlan::Group& planned = plan_.groups()[index];
  OL_ASSERT(plan_.dealt() && !group.begun, fmt::format("group {} begins out of turn", index));
  group.begun = true;
  begun_.push_back(index);
  group.own.assign(nodes.begin(), nodes.end());
  group.own.resize(merge_siblings(group.own, planned.elements.first, planned.elements.end));
  plan_.check_own(group.own);
  group.flags = plan_.start_flags(ranks_, group.own, group.present);
  plan_.list_pieces(planned, group.own, absent_.as<float>().data(), received_, pieces_);
  group.exchange =
      ranks_.start_exchange<float>("meta-gradient shards", pieces_.sends, pieces_.receives);
}

void SlotReduction::poll() {
  for (Group& group : groups_) {
    group.flags.test();
    group.exchange.test();
  }
}

bool SlotReduction::finish(std::span<float> total) {
  OL_ASSERT(static_cast<int64_t>(total.size()) == plan_.elements(),
            fmt::format("{} sums of {} elements", total.size(), plan_.elements()));
  bool any = false;
  OL_ASSERT(begun_.size() == groups_.size(), "a sum is finished before all its groups began");
  for (const size_t index : begun_) {
    Group& group = groups_[index];
    const ExchangePlan::Group& planned = plan_.groups()[index];
    group.flags.wait();
    group.exchange.wait();
    finish_shard(index, total);
    any = any || std::ranges::find(group.present, uint8_t{1}) != group.present.end();
    const auto in_total = [&](const Range& range) {
      return total.subspan(static_cast<size_t>(range.first), static_cast<size_t>(range.size()));
    };
    group.gather = ranks_.start_all_gather_v("meta-gradient", in_total(plan_.own_shard(planned)),
                                             in_total(planned.elements), planned.shard_sizes);
  }
  for (Group& group : groups_) {
    group.gather.wait();
    group.begun = false;
  }
  begun_.clear();
  return any;
}

void SlotReduction::drop() {
  for (Group& group : groups_) {
    group.flags.wait();
    group.exchange.wait();
    group.begun = false;
  }
  begun_.clear();
}

void SlotReduction::finish_shard(size_t index, std::span<float> total) {
  const Group& group = groups_[index];
  const ExchangePlan::Group& planned = plan_.groups()[index];
  plan_.list_nodes(planned, group.own, group.present, received_, nodes_);
  const Range& shard = plan_.own_shard(planned);
  const auto sums =
      total.subspan(static_cast<size_t>(shard.first), static_cast<size_t>(shard.size()));
  pool_.run([&](int thread) {
    const Range range = part_of({0, shard.size()}, thread, pool_.size());
    finish_tree(nodes_, range.first, range.end, sums);
  });
}

size_t SlotReduction::bytes() const {
  size_t sum = absent_.bytes();
  for (const Tensor& buffer : buffers_) sum += buffer.bytes();
  return sum;
}

}  // namespace outerloop::comm
