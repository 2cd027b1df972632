#pragma once
// Tasks side by side on a device: their episodes, the lanes of every call of the plan, and what
// comes back.

#include <map>
#include <string>
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
  float loss(int64_t task) const { return scalar("loss", task); }
  // Zero where there is none.
  float accuracy(int64_t task) const { return has_accuracy() ? scalar("accuracy", task) : 0; }
  bool has_accuracy() const { return results_.contains("accuracy"); }
  float measure(const std::string& name, int64_t task) const {
    return scalar("measure/" + name, task);
  }
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
  float scalar(const std::string& name, int64_t task) const {
    return results_.at(name).values[static_cast<size_t>(task)];
  }

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
