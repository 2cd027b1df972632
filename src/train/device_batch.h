#pragma once
// Tasks side by side on a device: their episodes, the lanes of every call of the plan, and what
// comes back.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/data/family.h"
#include "train/device_plan.h"

namespace outerloop::train {

class DeviceBatch {
 public:
  DeviceBatch(const DevicePlan& plan, std::shared_ptr<const data::TaskFamily> family,
              const optim::ThetaLayout& layout, int64_t tasks);

  // Draws task i for slot key.slot + i on the host.
  void draw(const data::TaskKey& key, ThreadPool& pool);
  // Launches the tasks drawn last. The results are here when the plan's stream is synchronised.
  void compute();
  // Copies gradients to the host and back, or the first of these alone. Wait for the work.
  void fetch_gradients();
  void put_gradients();

  int64_t tasks() const { return tasks_; }
  // "loss", "accuracy" or "measure/<name>" by task; empty where the learner gives none.
  std::span<const float> result(std::string_view name) const;
  // As fetched: (layout.elements,), padding is zero.
  std::span<float> gradient(int64_t task);
  // On the device, tasks side by side.
  std::byte* gradients() const { return buffers_[plan_.lane().gradient].data; }
  std::byte* losses() const { return results_.at("loss").source; }
  size_t bytes() const;  // on the device

 private:
  // An input that comes from the tasks.
  struct Field {
    Tensor host;  // (tasks, …)
    exec::DeviceMemory memory;
    size_t task_bytes = 0;
  };
  // An output that is looked at on the host.
  struct Result {
    std::vector<float> values;  // by task
    std::byte* source = nullptr;
  };

  void make_episodes(const data::EpisodeSpec& spec);
  void make_field(const std::string& name, DType dtype, const Shape& shape);
  template <class T>
  std::span<T> of_task(const std::string& name, DType dtype, int64_t task);
  data::EpisodeBuffers episode(int64_t task);
  void bind(size_t call);
  void run();

  const DevicePlan& plan_;
  std::shared_ptr<const data::TaskFamily> family_;
  int64_t tasks_;
  int64_t elements_;
  std::map<std::string, Field, std::less<>> fields_;
  std::vector<exec::DeviceMemory> buffers_;  // as LanePlan::buffers, of all tasks
  std::vector<exec::cuda::Lanes> lanes_;     // by call
  std::map<std::string, Result, std::less<>> results_;
  std::vector<float> gradients_;  // empty until fetched
  exec::DeviceGraph graph_;
};

}  // namespace outerloop::train
