#include "train/device_batch.h"

#include <algorithm>

#include "outerloop/base/error.h"
#include "train/slot_plan.h"
#include "train/task_inputs.h"

namespace outerloop::train {
namespace {

constexpr const char* kKey = "dropout_key";

}  // namespace

DeviceBatch::DeviceBatch(const DevicePlan& plan, std::shared_ptr<const data::TaskFamily> family,
                         int64_t tasks, int64_t places)
    : plan_(plan),
      family_(std::move(family)),
      tasks_(tasks),
      fields_(fields_of(*family_, tasks, place_bytes_)),
      drawn_(plan.device().allocate_pinned(place_bytes_ * static_cast<size_t>(places))),
      episodes_(plan.device().allocate(place_bytes_)) {
  allocate_buffers();
  if (plan_.images() != nullptr) allocate_images();
  for (size_t c = 0; c < plan_.calls().size(); ++c) bind(c);
  make_results();
  plan_.device().begin_recording(plan_.stream());
  launch();
  graph_ = plan_.device().end_recording(plan_.stream());
}

void DeviceBatch::allocate_buffers() {
  const LanePlan& lane = plan_.lane();
  for (const TensorType& type : lane.buffers) {
    buffers_.push_back(plan_.device().allocate(type.bytes() * static_cast<size_t>(tasks_)));
  }
  size_t arena_bytes = 0;
  for (const DevicePlan::Call& call : plan_.calls()) {
    arena_bytes = std::max(arena_bytes, exec::cuda::Lanes::arena_bytes(*call.executable, tasks_));
  }
  arena_ = plan_.device().allocate(arena_bytes);
  if (!lane.gradient) return;
  // Parameters that no call writes a gradient of, and padding, stay zero.
  const std::vector<std::byte> zeros(buffers_[*lane.gradient].bytes);
  for (size_t b : {*lane.gradient, *lane.gradient + 1}) {
    if (b >= buffers_.size() || buffers_[b].bytes != zeros.size()) continue;
    plan_.device().upload(plan_.stream(), buffers_[b].data, zeros);
  }
  plan_.device().synchronize(plan_.stream());
}

void DeviceBatch::allocate_images() {
  const data::EpisodeSpec& spec = family_->spec();
  for (const auto& [name, input] :
       {std::pair{"support_x", &spec.support_x}, std::pair{"query_x", &spec.query_x}}) {
    images_[name] = plan_.device().allocate(TensorType{input->dtype, input->shape}.bytes() *
                                            static_cast<size_t>(tasks_));
  }
}

void DeviceBatch::make_results() {
  const auto tasks = static_cast<size_t>(tasks_);
  const LanePlan::Places& numbers = plan_.lane().numbers;
  numbers_ = plan_.device().allocate_pinned(numbers.size() * tasks * sizeof(float));
  auto* values = reinterpret_cast<float*>(numbers_.bytes.data());
  for (const auto& [name, place] : numbers) {
    results_[name] = {{values, tasks}, memory(place)};
    values += tasks;
  }
}

// Fields lie one after the other, on lines of their own.
DeviceBatch::Fields DeviceBatch::fields_of(const data::TaskFamily& family, int64_t tasks,
                                           size_t& bytes) {
  constexpr size_t kAlignment = 256;
  const data::EpisodeSpec& spec = family.spec();
  Fields fields;
  bytes = 0;
  const auto add = [&](const char* name, DType dtype, const Shape& shape) {
    const size_t task_bytes = TensorType{dtype, shape}.bytes();
    fields[name] = {dtype, task_bytes, bytes};
    const size_t size = task_bytes * static_cast<size_t>(tasks);
    bytes += (size + kAlignment - 1) / kAlignment * kAlignment;
  };
  const bool named = !family.images().pixels.empty();
  for (const auto& [name, input] :
       {std::pair{"support_x", &spec.support_x}, std::pair{"query_x", &spec.query_x}}) {
    named ? add(name, DType::i32, Shape{input->shape[0]}) : add(name, input->dtype, input->shape);
  }
  add("support_y", spec.support_y.dtype, spec.support_y.shape);
  add("query_y", spec.query_y.dtype, spec.query_y.shape);
  if (spec.minibatches) add("minibatch", spec.minibatches->dtype, spec.minibatches->shape);
  add(kKey, DType::i32, Shape{4});
  return fields;
}

size_t DeviceBatch::place_bytes(const data::TaskFamily& family, int64_t tasks) {
  size_t bytes = 0;
  fields_of(family, tasks, bytes);
  return bytes;
}

// Empty where the episodes have another type there, or nothing.
template <class T>
std::span<T> DeviceBatch::of_task(std::string_view name, DType dtype, int64_t place, int64_t task) {
  const auto found = fields_.find(name);
  if (found == fields_.end() || found->second.dtype != dtype) return {};
  const Field& field = found->second;
  std::byte* data = drawn_.bytes.data() + static_cast<size_t>(place) * place_bytes_ + field.offset +
                    static_cast<size_t>(task) * field.task_bytes;
  return {reinterpret_cast<T*>(data), field.task_bytes / sizeof(T)};
}

data::EpisodeBuffers DeviceBatch::episode(int64_t place, int64_t task) {
  return {.support_x = of_task<float>("support_x", DType::f32, place, task),
          .query_x = of_task<float>("query_x", DType::f32, place, task),
          .support_targets = of_task<float>("support_y", DType::f32, place, task),
          .query_targets = of_task<float>("query_y", DType::f32, place, task),
          .support_labels = of_task<int32_t>("support_y", DType::i32, place, task),
          .query_labels = of_task<int32_t>("query_y", DType::i32, place, task),
          .minibatches = of_task<int32_t>("minibatch", DType::i32, place, task)};
}

void DeviceBatch::draw(const data::TaskKey& key, ThreadPool& pool, int64_t place) {
  if (parts_.size() != static_cast<size_t>(pool.size())) parts_ = dealt({0, tasks_}, pool.size());
  pool.run([&](int thread) {
    const comm::Range& part = parts_[static_cast<size_t>(thread)];
    data::TaskKey own = key;
    for (int64_t task = part.first; task < part.end; ++task) {
      own.slot = key.slot + static_cast<uint32_t>(task);
      if (plan_.images() == nullptr) {
        family_->draw(own, episode(place, task));
      } else {
        family_->draw_named(own, episode(place, task),
                            of_task<int32_t>("support_x", DType::i32, place, task),
                            of_task<int32_t>("query_x", DType::i32, place, task));
      }
      write_dropout_key(own, of_task<int32_t>(kKey, DType::i32, place, task));
    }
  });
}

void DeviceBatch::upload(int64_t place) {
  const auto drawn = drawn_.bytes.subspan(static_cast<size_t>(place) * place_bytes_, place_bytes_);
  plan_.device().upload(plan_.stream(), episodes_.data, drawn);
}

void DeviceBatch::fetch_images(const std::string& name) {
  const Field& names = fields_.find(name)->second;
  const exec::DeviceMemory& values = images_.find(name)->second;
  plan_.images()->run(plan_.stream(), tasks_,
                      static_cast<int64_t>(names.task_bytes / sizeof(int32_t)),
                      {episodes_.data + names.offset, static_cast<int64_t>(names.task_bytes)},
                      {values.data, static_cast<int64_t>(values.bytes) / tasks_});
}

void DeviceBatch::launch() {
  for (const auto& [name, memory] : images_) fetch_images(name);
  for (exec::cuda::Lanes& lanes : lanes_) lanes.run(plan_.stream());
}

void DeviceBatch::bind(size_t c) {
  const LanePlan::Wires& wires = plan_.lane().calls[c];
  const DevicePlan::Call& call = plan_.calls()[c];
  const Program& program = *wires.call.program;
  exec::cuda::Lanes& lanes = lanes_.emplace_back(call.executable, tasks_, arena_);
  for (const auto& [index, data] : call.shared) lanes.bind_input(index, data);
  const auto stride = [&](const LanePlan::Place& place) {
    return static_cast<int64_t>(plan_.lane().buffers[place.buffer].bytes());
  };
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const ProgramInput& input = program.inputs[i];
    if (input.binding == Binding::shared) continue;
    const auto index = static_cast<int>(i);
    if (const auto wire = wires.inputs.find(input.name); wire != wires.inputs.end()) {
      lanes.bind_input(index, memory(wire->second), stride(wire->second));
      continue;
    }
    if (const auto images = images_.find(input.name); images != images_.end()) {
      lanes.bind_input(index, images->second.data,
                       static_cast<int64_t>(images->second.bytes) / tasks_);
      continue;
    }
    const auto field = fields_.find(input.name);
    OL_ASSERT(field != fields_.end(), "nobody gives the input " + input.name);
    size_t offset = field->second.offset;
    if (input.name == "minibatch") {  // the rows of this call's steps
      const Shape& shape = program.type(input.value).shape;
      offset +=
          static_cast<size_t>(wires.call.first_step * shape[shape.rank() - 1]) * sizeof(int32_t);
    }
    lanes.bind_input(index, episodes_.data + offset,
                     static_cast<int64_t>(field->second.task_bytes));
  }
  for (size_t o = 0; o < program.outputs.size(); ++o) {
    const LanePlan::Place& place = wires.outputs.find(program.outputs[o].name)->second;
    lanes.bind_output(static_cast<int>(o), memory(place), stride(place));
  }
}

void DeviceBatch::compute() {
  exec::Device& device = plan_.device();
  const exec::DeviceStream& stream = plan_.stream();
  device.launch(stream, graph_);
  for (auto& [name, result] : results_) {
    device.download(stream, std::as_writable_bytes(result.values), result.source);
  }
}

std::span<const float> DeviceBatch::result(std::string_view name) const {
  const auto found = results_.find(name);
  return found == results_.end() ? std::span<const float>() : found->second.values;
}

std::byte* DeviceBatch::source(std::string_view name) const {
  const auto found = results_.find(name);
  return found == results_.end() ? nullptr : found->second.source;
}

void DeviceBatch::fetch_gradients() {
  gradients_.resize(buffers_[*plan_.lane().gradient].bytes / sizeof(float));
  plan_.device().download(plan_.stream(), std::as_writable_bytes(std::span(gradients_)),
                          gradients());
  plan_.device().synchronize(plan_.stream());
}

void DeviceBatch::put_gradients() {
  plan_.device().upload(plan_.stream(), gradients(), std::as_bytes(std::span(gradients_)));
}

std::span<float> DeviceBatch::gradient(int64_t task) {
  const size_t elements = gradients_.size() / static_cast<size_t>(tasks_);
  return std::span(gradients_).subspan(static_cast<size_t>(task) * elements, elements);
}

}  // namespace outerloop::train
