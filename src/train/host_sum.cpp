#include "train/host_sum.h"

#include <algorithm>

#include "train/slot_plan.h"

namespace outerloop::train {

HostSum::HostSum(comm::Communicator& ranks, ThreadPool& pool, std::span<const comm::Range> groups)
    : ranks_(ranks),
      pool_(pool),
      reduction_(ranks, pool, groups),
      total_(DType::f32, Shape{groups.back().end}) {}

void HostSum::begin(size_t group, std::span<const comm::SlotNode> nodes) {
  reduction_.poll();  // moves the groups before it along
  reduction_.begin(group, nodes);
}

void HostSum::sum_fast(std::span<const comm::SlotNode> nodes) {
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
