#pragma once
// The outer update on all threads.

#include <array>
#include <memory>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "train/bit_sums.h"
#include "train/compiled_call.h"
#include "train/outer_update.h"

namespace outerloop::train {

class ThreadUpdate : public OuterUpdate {
 public:
  ThreadUpdate(const config::Config& config, const nn::ParameterSpecs& parameters,
               const optim::ThetaLayout& layout, ThreadPool& pool, CallCompiler& compiler,
               OuterState start);
  ~ThreadUpdate() override;

  const OuterState& state() override { return state_; }
  void set_state(const OuterState& state) override;
  bool apply(int64_t iteration, std::span<const comm::SlotNode> nodes, int64_t present) override;
  void hash_state(std::span<uint32_t> hashes) override;
  size_t bytes() const;  // besides the state
  // The same of one for so many threads, by its plan.
  static size_t planned_bytes(const config::Config& config, const optim::ThetaLayout& layout,
                              int64_t threads, CallCompiler& compiler);

 private:
  struct Shard;

  void make_shards(CallCompiler& compiler);
  void bind(Shard& shard);
  void set_scalars(int64_t iteration);
  bool take_mean(std::span<const comm::SlotNode> nodes, int64_t begin, int64_t end, float scale);
  template <class Work>
  void on_shards(Work work);

  config::Outer config_;
  ThreadPool& pool_;
  OuterState state_;
  Tensor mean_;        // gradient
  Tensor decay_mask_;  // empty: nothing decays
  std::array<float, 3> scalars_{};
  std::vector<std::unique_ptr<Shard>> shards_;  // of the first threads, one each
  std::vector<int64_t> parameter_ends_;
  std::vector<LaneSums> bit_sums_;  // by parameter, for a moment
};

}  // namespace outerloop::train
