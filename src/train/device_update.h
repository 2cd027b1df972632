#pragma once
// The outer update on a device, where the state is.

#include <memory>
#include <vector>

#include "outerloop/comm/device_ranks.h"
#include "outerloop/exec/cuda.h"
#include "outerloop/exec/cuda_bit_sums.h"
#include "outerloop/exec/cuda_commit.h"
#include "train/device_state.h"
#include "train/outer_update.h"

namespace outerloop::train {

class DeviceUpdate : public OuterUpdate {
 public:
  // `ranks`: whose sums may be under way when apply() is called, or null; it sees to them.
  DeviceUpdate(const config::Config& config, const nn::ParameterSpecs& parameters,
               const optim::ThetaLayout& layout, DeviceState& state,
               comm::DeviceRanks* ranks = nullptr);

  const OuterState& state() override { return state_.on_host(); }
  void set_state(const OuterState& state) override;
  // The one node is sum(), with its count.
  bool apply(int64_t iteration, std::span<const comm::SlotNode> nodes, int64_t present) override;
  void hash_state(std::span<uint32_t> hashes) override;

  // What every step asks for, on the device.
  struct Head {
    float rate = 0;
    float correction1 = 0;
    float correction2 = 0;
  };
  std::byte* head() const { return head_.data; }
  // (elements,). Behind it, as one more element, is how many slots count.
  std::span<float> sum() const;
  float* count() const { return &sum_and_count().back(); }
  std::span<float> sum_and_count() const;
  // A step with what is there, and the hashes of the state after it. Can be recorded.
  void launch();
  // Launched steps have made so many updates.
  void count_updates(int64_t made);
  int64_t updates() const { return state_.updates(); }
  int64_t vectors() const { return static_cast<int64_t>(state_.vectors()); }
  // What a step leaves: made (), and the hashes by vector and parameter.
  std::byte* made() const { return made_.data; }
  std::byte* hashes() const { return hashes_.data; }

 private:
  void bind(const Tensor& decay_mask);
  void launch_hashes();
  void bit_sums(size_t vectors, std::byte* values, std::byte* hashes);

  config::Outer config_;
  DeviceState& state_;
  comm::DeviceRanks* ranks_;
  size_t parameters_;
  std::shared_ptr<const exec::cuda::Executable> executable_;
  exec::cuda::Lanes lanes_;
  exec::cuda::BitSums bit_sums_;
  exec::cuda::Commit commit_;
  exec::DeviceMemory head_, sum_, decay_mask_, made_, hashes_;
  exec::DeviceMemory next_, next_hashes_;  // as the state and its hashes, then the mean's
  exec::DeviceMemory finite_;              // by vector and parameter
  exec::PinnedMemory host_head_, host_made_, host_hashes_;
  bool hashes_are_old_ = true;  // the host's
  exec::DeviceGraph graph_;
};

}  // namespace outerloop::train
