#include "train/device_batch.h"

#include <algorithm>
#include <cstddef>
#include <new>

#include "outerloop/base/error.h"

namespace outerloop::train {

DeviceBatch::DeviceBatch(const DevicePlan& plan, int64_t tasks)
    : plan_(plan),
      tasks_(tasks),
      key_(plan.device().allocate(sizeof(Key))),
      host_key_(plan.device().allocate_pinned(sizeof(Key))) {
  lay_out_fields();
  allocate_buffers();
  if (plan_.tasks().images() != nullptr) allocate_images();
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
  const data::EpisodeSpec& spec = plan_.tasks().family().spec();
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

// One after the other, on lines of their own.
void DeviceBatch::lay_out_fields() {
  using Operand = data::DrawingOperand;
  constexpr size_t kLineBytes = 256;
  const data::EpisodeSpec& spec = plan_.tasks().family().spec();
  const bool named = plan_.tasks().images() != nullptr;
  size_t bytes = 0;
  const auto add = [&](const char* name, Operand operand, DType dtype, const Shape& shape) {
    const size_t task_bytes = TensorType{dtype, shape}.bytes();
    fields_[name] = {operand, task_bytes, bytes};
    const size_t size = task_bytes * static_cast<size_t>(tasks_);
    bytes += (size + kLineBytes - 1) / kLineBytes * kLineBytes;
  };
  const auto add_x = [&](const char* name, Operand operand, const data::TensorSpec& x) {
    named ? add(name, operand, DType::i32, Shape{x.shape[0]})
          : add(name, operand, x.dtype, x.shape);
  };
  const auto add_all = [&](const char* name, Operand operand, const data::TensorSpec& all) {
    add(name, operand, all.dtype, all.shape);
  };
  add_x("support_x", Operand::support_x, spec.support_x);
  add_x("query_x", Operand::query_x, spec.query_x);
  add_all("support_y", Operand::support_y, spec.support_y);
  add_all("query_y", Operand::query_y, spec.query_y);
  if (spec.minibatches) add_all("minibatch", Operand::minibatches, *spec.minibatches);
  add("dropout_key", Operand::dropout_key, DType::i32, Shape{4});
  episodes_ = plan_.device().allocate(bytes);
}

void DeviceBatch::set_tasks(const data::TaskKey& key) {
  plan_.tasks().family().check(key.split);
  new (host_key_.bytes.data()) Key{.lane = data::lane_key(key)};
  plan_.device().upload(plan_.stream(), key_.data, host_key_.bytes);
}

void DeviceBatch::draw(std::byte* step) {
  using Operand = data::DrawingOperand;
  DeviceTasks::Operands operands{};
  DeviceTasks::at(operands, Operand::key) = {key_.data, 0};
  DeviceTasks::at(operands, Operand::step) = {
      step != nullptr ? step : key_.data + offsetof(Key, no_step), 0};
  for (const auto& [name, field] : fields_) {
    DeviceTasks::at(operands, field.operand) = {episodes_.data + field.offset,
                                                static_cast<int64_t>(field.task_bytes)};
  }
  plan_.tasks().draw(plan_.stream(), tasks_, operands);
}

void DeviceBatch::fetch_images(const std::string& name) {
  const Field& names = fields_.find(name)->second;
  const exec::DeviceMemory& values = images_.find(name)->second;
  plan_.tasks().images()->run(
      plan_.stream(), tasks_, static_cast<int64_t>(names.task_bytes / sizeof(int32_t)),
      {episodes_.data + names.offset, static_cast<int64_t>(names.task_bytes)},
      {values.data, static_cast<int64_t>(values.bytes) / tasks_});
}

void DeviceBatch::launch(std::byte* step) {
  draw(step);
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
