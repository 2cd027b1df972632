#pragma once
// The outer update on all threads: the sum over the slots, its mean, the optimiser.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/slot_tree.h"
#include "outerloop/config/config.h"
#include "outerloop/nn/parameter.h"
#include "outerloop/optim/outer.h"
#include "outerloop/train/theta.h"
#include "train/compiled_call.h"

namespace outerloop::train {

class OuterUpdate {
 public:
  // Starts at the parameters' initial values.
  OuterUpdate(const config::Config& config, const nn::ParameterSpecs& parameters,
              const optim::ThetaLayout& layout, ThreadPool& pool, CallCompiler& compiler);
  ~OuterUpdate();

  // Theta keeps its place in memory.
  const OuterState& state() const { return state_; }
  // Copies; sizes must fit.
  void set_state(const OuterState& state);

  // Finishes the tree of the slots' gradients and takes one step with their mean; `present`: how
  // many slots the tree has, at least one. Where the sum or anything that the step would give is
  // not finite, it returns false and the state stays as it was, the number of updates too. The
  // nodes' data are overwritten.
  bool apply(int64_t iteration, std::span<const comm::SlotNode> nodes, int64_t present);

  size_t bytes() const;  // besides the state
  // The same of one for so many threads, by its plan.
  static size_t planned_bytes(const config::Config& config, const optim::ThetaLayout& layout,
                              int64_t threads, CallCompiler& compiler);

 private:
  struct Shard;

  void mark_decaying_weights(const nn::ParameterSpecs& parameters,
                             const optim::ThetaLayout& layout);
  void make_shards(CallCompiler& compiler);
  void make_states(std::span<const std::string> names);
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
};

}  // namespace outerloop::train
