#include "train/device_rank_sum.h"

namespace outerloop::train {

DeviceRankSum::DeviceRankSum(comm::DeviceRanks& ranks, const DeviceState& state,
                             std::span<const comm::Range> groups, std::span<float> total)
    : ranks_(ranks),
      state_(state),
      total_(total),
      exchange_(state.device().make_stream()),
      gather_(state.device().make_stream()),
      tree_(state.shared_device(), groups.size()),
      reduction_(ranks, groups, {exchange_.handle.get(), gather_.handle.get()},
                 [this](size_t group, std::span<const comm::SlotNode> nodes, std::span<float> sums,
                        comm::DeviceStream) {
                   tree_.finish(gather_, group, nodes, sums, group == 0 ? &total_.back() : nullptr);
                 }) {}

void DeviceRankSum::deal(std::span<const comm::Range> slots) {
  reduction_.deal(slots, [this](int64_t elements) {
    received_ = state_.device().allocate(static_cast<size_t>(elements) * sizeof(float));
    return reinterpret_cast<float*>(received_.data);
  });
}

void DeviceRankSum::begin(size_t group, std::span<const comm::SlotNode> nodes) {
  reduction_.begin(group, nodes, stream());
}

void DeviceRankSum::finish() {
  reduction_.finish(sum(), stream());
}

void DeviceRankSum::drop() {
  reduction_.drop(stream());
  ranks_.wait();
}

void DeviceRankSum::sum_fast(std::span<const comm::SlotNode> nodes) {
  tree_.add(state_.stream(), 0, nodes, sum(), &total_.back());
  ranks_.all_reduce_fast("meta-gradient", total_, stream());
}

}  // namespace outerloop::train
