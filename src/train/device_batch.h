#pragma once
// Tasks side by side on a device: their episodes, the lanes of every call of the plan, and what
// comes back.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/device_plan.h"

namespace outerloop::train {

class DeviceBatch {
 public:
  DeviceBatch(const DevicePlan& plan, int64_t tasks);

  // From now on task i is that of slot key.slot + i. Synchronise the plan's stream before the next
  // call.
  void set_tasks(const data::TaskKey& key);
  // Draws the tasks and makes all calls of the plan. Can be recorded. `step`, a word on the device,
  // is added to the key's iteration; null: 0.
  void launch(std::byte* step = nullptr);

  // Launches the tasks that were set. The results are here when the plan's stream is synchronised.
  void compute();
  // Of a gradient plan. Copies gradients to the host and back, or the first of these alone. Wait
  // for the work.
  void fetch_gradients();
  void put_gradients();

  int64_t tasks() const { return tasks_; }
  // One of LanePlan::numbers by task; empty where the learner gives none.
  std::span<const float> result(std::string_view name) const;
  // The same on the device, or null.
  std::byte* source(std::string_view name) const;
  // As fetched: (elements of the layout,), padding is zero.
  std::span<float> gradient(int64_t task);
  // On the device, tasks side by side.
  std::byte* gradients() const { return buffers_[*plan_.lane().gradient].data; }

 private:
  // An input that comes from the tasks, or the names of its images: (tasks, …).
  struct Field {
    data::DrawingOperand operand;
    size_t task_bytes = 0;
    size_t offset = 0;
  };
  using Fields = std::map<std::string, Field, std::less<>>;
  // An output that is looked at on the host.
  struct Result {
    std::span<float> values;  // by task, pinned
    std::byte* source = nullptr;
  };

  // What a device draws by.
  struct Key {
    data::LaneKey lane{};
    uint32_t no_step = 0;
  };

  void lay_out_fields();
  void allocate_buffers();
  void allocate_images();
  void make_results();
  std::byte* memory(const LanePlan::Place& place) const {
    return buffers_[place.buffer].data + place.offset;
  }
  void draw(std::byte* step);
  void fetch_images(const std::string& name);
  void bind(size_t call);

  const DevicePlan& plan_;
  int64_t tasks_;
  Fields fields_;
  exec::DeviceMemory key_;
  exec::PinnedMemory host_key_;
  exec::DeviceMemory episodes_;
  std::map<std::string, exec::DeviceMemory, std::less<>> images_;  // by input; empty without images
  std::vector<exec::DeviceMemory> buffers_;  // as LanePlan::buffers, of all tasks
  exec::DeviceMemory arena_;                 // of all calls, one after the other
  std::vector<exec::cuda::Lanes> lanes_;     // by call
  exec::PinnedMemory numbers_;               // results
  std::map<std::string, Result, std::less<>> results_;
  std::vector<float> gradients_;  // empty until fetched
  exec::DeviceGraph graph_;
};

}  // namespace outerloop::train
