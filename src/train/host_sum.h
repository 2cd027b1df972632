#pragma once
// The sum of gradients in the memory of the hosts.

#include "outerloop/base/thread_pool.h"
#include "train/gradient_sum.h"

namespace outerloop::train {

class HostSum final : public GradientSum {
 public:
  HostSum(comm::Communicator& ranks, ThreadPool& pool, std::span<const comm::Range> groups);

  void deal(std::span<const comm::Range> slots) override { reduction_.deal(slots); }
  void begin(size_t group, std::span<const comm::SlotNode> nodes) override;
  void finish() override { reduction_.finish(total_.as<float>()); }
  void drop() override { reduction_.drop(); }
  void sum_fast(std::span<const comm::SlotNode> nodes) override;
  float* total() override { return total_.as<float>().data(); }
  size_t bytes() const { return reduction_.bytes() + total_.bytes(); }

 private:
  comm::Communicator& ranks_;
  ThreadPool& pool_;
  comm::SlotReduction reduction_;
  Tensor total_;
};

}  // namespace outerloop::train
