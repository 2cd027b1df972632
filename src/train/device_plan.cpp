#include "train/device_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::train {

DevicePlan::DevicePlan(LanePlan lane, const SharedInputs& shared,
                       const std::shared_ptr<const data::TaskFamily>& family,
                       const DeviceState& state, const passes::Options& options,
                       std::shared_ptr<DeviceData> device_data)
    : state_(state),
      lane_(std::move(lane)),
      data_(device_data ? std::move(device_data)
                        : std::make_shared<DeviceData>(state.shared_device())),
      tasks_(std::make_unique<DeviceTasks>(shared_device(), *data_, family)) {
  for (const LanePlan::Wires& wires : lane_.calls) {
    calls_.push_back(compile(wires.call, shared, options));
  }
  for (auto& [host, copy] : constants_) update(copy);
  device().synchronize(stream());
}

DevicePlan::Call DevicePlan::compile(const meta::Call& call, const SharedInputs& shared,
                                     const passes::Options& options) {
  const Program& program = *call.program;
  auto& executable = known_[call.program.get()];
  if (!executable) executable = exec::cuda::Executable::compile(program, shared_device(), options);
  const Flops flops = flops_of(executable->optimised());
  flops_.all += flops.all;
  flops_.dense += flops.dense;

  Call result{.executable = executable, .shared = {}};
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const ProgramInput& input = program.inputs[i];
    if (input.binding != Binding::shared) continue;
    const size_t bytes = program.type(input.value).bytes();
    std::byte* data = nullptr;
    for (const meta::Constant& constant : call.constants) {
      if (constant.name != input.name) continue;
      data = place({constant.value.data(), bytes}, constants_);
    }
    if (const auto found = shared.find(input.name); found != shared.end()) {
      data = place({static_cast<const std::byte*>(found->second), bytes}, settings_);
    }
    OL_ASSERT(data != nullptr, fmt::format("nobody gives the shared input '{}'", input.name));
    result.shared.emplace_back(static_cast<int>(i), data);
  }
  return result;
}

std::byte* DevicePlan::place(std::span<const std::byte> source,
                             std::map<const void*, Copy>& copies) {
  const Tensor& theta = state_.host_theta();
  if (source.data() >= theta.data() && source.data() < theta.data() + theta.bytes()) {
    return state_.data() + (source.data() - theta.data());
  }
  Copy& copy = copies[source.data()];
  if (copy.memory.data == nullptr) copy = {device().allocate(source.size()), source, {}};
  return copy.memory.data;
}

void DevicePlan::update(Copy& copy) {
  if (std::ranges::equal(copy.known, copy.source)) return;
  copy.known.assign(copy.source.begin(), copy.source.end());
  device().upload(stream(), copy.memory.data, copy.source);
}

void DevicePlan::refresh() {
  for (auto& [host, copy] : settings_) update(copy);
}

size_t DevicePlan::launches() const {
  size_t sum = 0;
  for (const Call& call : calls_) {
    sum += call.executable->shared_launches() + call.executable->lane_launches();
  }
  return sum;
}

size_t DevicePlan::traffic_bytes() const {
  size_t sum = 0;
  for (const Call& call : calls_) sum += call.executable->lane_traffic_bytes();
  return sum;
}

size_t DevicePlan::library_products() const {
  size_t sum = 0;
  for (const Call& call : calls_) sum += call.executable->library_products();
  return sum;
}

size_t DevicePlan::lane_bytes() const {
  size_t bytes = 0;
  for (const Call& call : calls_) bytes = std::max(bytes, call.executable->lane_arena_bytes());
  return bytes;
}

}  // namespace outerloop::train
