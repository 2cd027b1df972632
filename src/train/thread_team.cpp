#include "train/thread_team.h"

#include <algorithm>

#include "train/slot_plan.h"

namespace outerloop::train {

ThreadTeam::ThreadTeam(const TeamWork& work, ThreadPool& pool, CallCompiler& compiler)
    : pool_(pool),
      layout_(work.layout),
      plan_(work.plan, compiler),
      worker_times_(static_cast<size_t>(pool.size())),
      bit_sums_(layout_.entries.size()) {
  plan_.bind_shared(work.shared);
  for (int t = 0; t < pool.size(); ++t) {
    workers_.push_back(
        std::make_unique<SlotWorker>(plan_, work.family, work.layout, work.measures));
  }
  draw_ahead_ = [this](int thread) { workers_[static_cast<size_t>(thread)]->draw_ahead(); };
  release_.tell = [this](size_t place) { tell_when_last(place); };
}

// Waits for who draws ahead.
ThreadTeam::~ThreadTeam() {
  pool_.run([](int) {});
}

std::vector<FinalGroup> ThreadTeam::order(std::span<const comm::Range> groups) const {
  return order_of_groups(plan_, layout_, groups);
}

void ThreadTeam::deal(const comm::Range& slots) {
  const std::vector<comm::Range> parts = dealt(slots, pool_.size());
  // Behind what each thread draws ahead.
  pool_.run([&](int thread) {
    const auto t = static_cast<size_t>(thread);
    workers_[t]->deal(parts[t], thread > 0);
  });
}

void ThreadTeam::run(const data::TaskKey& key, TaskResults& results,
                     std::span<const FinalGroup> order, const Tell& tell, MetaStepTimes* times) {
  tell_ = &tell;
  release_.groups = tell ? order : std::span<const FinalGroup>();
  if (unfinished_.size() != release_.groups.size()) {
    unfinished_ = std::vector<std::atomic<int>>(release_.groups.size());
  }
  for (std::atomic<int>& threads : unfinished_) threads = pool_.size();
  const auto run_slots = [&](int thread) {
    const auto t = static_cast<size_t>(thread);
    workers_[t]->run(key, results, release_, times != nullptr ? &worker_times_[t] : nullptr);
  };
  pool_.run(run_slots, draw_ahead_);
  collect_nodes();
  if (times != nullptr) add_times(*times);
}

void ThreadTeam::collect_nodes() {
  nodes_.clear();
  for (const auto& worker : workers_) {
    const auto part = worker->nodes();
    nodes_.insert(nodes_.end(), part.begin(), part.end());
  }
}

// Told by each thread, in the order of places: so the last ones come one after the other.
void ThreadTeam::tell_when_last(size_t place) {
  if (unfinished_[place].fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  collect_nodes();
  (*tell_)(place);
}

void ThreadTeam::add_times(MetaStepTimes& times) {
  MetaStepTimes busiest;
  for (MetaStepTimes& worker : worker_times_) {
    busiest.draw = std::max(busiest.draw, worker.draw);
    busiest.compute = std::max(busiest.compute, worker.compute);
    worker = {};
  }
  times.draw += busiest.draw;
  times.compute += busiest.compute;
}

template <class SumsOf>
void ThreadTeam::hash(SumsOf sums_of, std::span<uint32_t> hashes) {
  std::ranges::fill(bit_sums_, LaneSums{});
  for (const auto& worker : workers_) {
    const std::span<const LaneSums> own = sums_of(*worker);
    for (size_t p = 0; p < bit_sums_.size(); ++p) bit_sums_[p] += own[p];
  }
  hash_each(bit_sums_, hashes);
}

void ThreadTeam::hash_gradients(std::span<uint32_t> hashes) {
  hash([](const SlotWorker& worker) { return worker.bit_sums(); }, hashes);
}

void ThreadTeam::hash_apart(std::span<uint32_t> hashes) {
  hash([](const SlotWorker& worker) { return worker.apart(); }, hashes);
}

void ThreadTeam::keep_apart(int64_t slot) {
  for (const auto& worker : workers_) worker->keep_apart(slot);
}

void ThreadTeam::set_gradient_hook(const GradientHook& hook) {
  for (const auto& worker : workers_) worker->set_gradient_hook(hook);
}

size_t ThreadTeam::bytes() const {
  size_t bytes = plan_.shared_bytes();
  for (const auto& worker : workers_) bytes += worker->bytes() + plan_.workspace_bytes();
  return bytes;
}

std::vector<exec::StepTime> ThreadTeam::profile(const data::TaskKey& key, int repeats) {
  LaneRunner& runner = workers_.front()->runner();
  runner.draw(key);
  std::vector<exec::StepTime> times;
  for (int i = 0; i < repeats; ++i) runner.profile(times);
  for (exec::StepTime& time : times) time.seconds /= repeats;
  return times;
}

}  // namespace outerloop::train
