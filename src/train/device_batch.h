#pragma once
// Tasks side by side on a device: their episodes, the lanes of every call of the plan, and what
// comes back.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/exchange_plan.h"
#include "train/device_plan.h"

namespace outerloop::train {

class DeviceBatch {
 public:
  // So many meta-batches can be drawn before the first of them has gone up: each has its place.
  DeviceBatch(const DevicePlan& plan, std::shared_ptr<const data::TaskFamily> family, int64_t tasks,
              int64_t places = 1);
  // What one such place takes.
  static size_t place_bytes(const data::TaskFamily& family, int64_t tasks);

  // Draws task i for slot key.slot + i on the host. The place is the device's again when upload()
  // is done.
  void draw(const data::TaskKey& key, ThreadPool& pool, int64_t place = 0);
  // Sends up what was drawn there: the tasks that are computed from now on.
  void upload(int64_t place = 0);
  // Fetches the images, if tasks are made of some, and makes all calls of the plan. Can be
  // recorded.
  void launch();

  // Launches the tasks sent up last. The results are here when the plan's stream is synchronised.
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
  // An input that comes from the tasks, or the names of its images: in a place and on the device,
  // (tasks, …).
  struct Field {
    DType dtype = DType::f32;
    size_t task_bytes = 0;
    size_t offset = 0;
  };
  using Fields = std::map<std::string, Field, std::less<>>;
  // An output that is looked at on the host.
  struct Result {
    std::span<float> values;  // by task, pinned
    std::byte* source = nullptr;
  };

  static Fields fields_of(const data::TaskFamily& family, int64_t tasks, size_t& bytes);
  void allocate_buffers();
  void allocate_images();
  void make_results();
  std::byte* memory(const LanePlan::Place& place) const {
    return buffers_[place.buffer].data + place.offset;
  }
  void fetch_images(const std::string& name);
  template <class T>
  std::span<T> of_task(std::string_view name, DType dtype, int64_t place, int64_t task);
  data::EpisodeBuffers episode(int64_t place, int64_t task);
  void bind(size_t call);

  const DevicePlan& plan_;
  std::shared_ptr<const data::TaskFamily> family_;
  int64_t tasks_;
  size_t place_bytes_ = 0;
  Fields fields_;
  std::vector<comm::Range> parts_;  // of the tasks, by thread
  exec::PinnedMemory drawn_;        // places
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
