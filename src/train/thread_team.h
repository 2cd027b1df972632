#pragma once
// The slots of a rank on its threads: each thread has consecutive ones. While thread 0 makes the
// update, the others draw their next tasks, where tasks are small; so theirs are the larger parts,
// which lie at the end (of 25 tasks on two threads 12 and 13).

#include <atomic>
#include <memory>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "train/slot_team.h"
#include "train/slot_worker.h"

namespace outerloop::train {

class ThreadTeam : public SlotTeam {
 public:
  ThreadTeam(const TeamWork& work, ThreadPool& pool, CallCompiler& compiler);
  ~ThreadTeam() override;

  void refresh() override { plan_.refresh(); }
  std::vector<FinalGroup> order(std::span<const comm::Range> groups) const override;
  void deal(const comm::Range& slots) override;
  void run(const data::TaskKey& key, TaskResults& results, std::span<const FinalGroup> order,
           const Tell& tell, MetaStepTimes* times) override;
  std::span<const comm::SlotNode> nodes() override { return nodes_; }
  void hash_gradients(std::span<uint32_t> hashes) override;
  void keep_apart(int64_t slot) override;
  void hash_apart(std::span<uint32_t> hashes) override;
  SlotReplay replay(const data::TaskKey& key) override { return workers_.front()->replay(key); }
  void set_gradient_hook(const GradientHook& hook) override;
  bool has_accuracy() const override { return workers_.front()->runner().has_accuracy(); }
  Flops flops_per_task() const override { return plan_.flops_per_task(); }
  size_t kernel_calls_per_task() const override { return plan_.kernel_calls_per_task(); }
  size_t lane_bytes() const override { return plan_.workspace_bytes(); }
  size_t bytes() const;
  std::vector<exec::StepTime> profile(const data::TaskKey& key, int repeats) override;

 private:
  // Of the sums that each worker has by parameter, all workers' together.
  template <class SumsOf>
  void hash(SumsOf sums_of, std::span<uint32_t> hashes);
  void collect_nodes();
  void tell_when_last(size_t place);
  void add_times(MetaStepTimes& times);

  ThreadPool& pool_;
  const optim::ThetaLayout& layout_;
  CompiledGradientPlan plan_;
  std::vector<std::unique_ptr<SlotWorker>> workers_;  // by thread
  std::function<void(int thread)> draw_ahead_;
  std::vector<MetaStepTimes> worker_times_;
  std::vector<comm::SlotNode> nodes_;
  std::vector<std::atomic<int>> unfinished_;  // threads, by place in the order
  const Tell* tell_ = nullptr;                // of the run under way
  std::vector<LaneSums> bit_sums_;            // by parameter, for a moment
  SlotWorker::Release release_;
};

}  // namespace outerloop::train
