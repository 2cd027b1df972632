// A planned program as launches on a device.

#include <fmt/format.h>

#include <algorithm>

#include "exec/cuda/planned_launch.h"
#include "exec/plan/traffic.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::exec::cuda {

struct Executable::Impl {
  std::shared_ptr<Device> device;
  Program optimised;
  size_t lane_arena_bytes = 0;
  size_t shared_arena_bytes = 0;
  size_t lane_traffic_bytes = 0;
  size_t block_bytes = 0;
  std::string why_not_one_kernel;
  std::vector<DeviceFunction> functions;
  std::vector<PlannedLaunch> shared;
  std::vector<PlannedLaunch> lane;
};

namespace {

// Arenas of neighbouring lanes start on lines of their own.
constexpr size_t kLaneAlignment = 256;

int64_t lane_stride(size_t bytes) {
  return static_cast<int64_t>((bytes + kLaneAlignment - 1) / kLaneAlignment * kLaneAlignment);
}

}  // namespace

Executable::Executable(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Executable::~Executable() = default;

std::shared_ptr<const Executable> Executable::compile(const Program& program,
                                                      std::shared_ptr<Device> device,
                                                      const passes::Options& options, Steps steps) {
  Program optimised = passes::optimise(program, options);
  KernelList kernels(device->multiplies());
  auto impl = std::make_unique<Impl>();
  MegaChoice whole{.why_not = "nobody asked"};
  if (steps == Steps::one_kernel_if_it_fits) whole = mega_kernel(optimised, device->limits());
  if (whole.kernel) {
    impl->block_bytes = whole.kernel->source.shared_bytes;
    impl->lane_arena_bytes = static_cast<size_t>(whole.kernel->overflow_bytes);
    impl->lane_traffic_bytes = static_cast<size_t>(whole.kernel->traffic_bytes);
    impl->lane = kernels.launches(std::move(*whole.kernel));
    impl->optimised = std::move(optimised);
  } else {
    ProgramPlan plan = plan_program(std::move(optimised));
    impl->shared = kernels.launches(plan.shared, Place::shared_arena, plan.shared_arena_bytes);
    impl->lane = kernels.launches(plan.lane, Place::lane_arena, plan.lane_arena_bytes);
    impl->lane_traffic_bytes = static_cast<size_t>(traffic_of(plan.lane, true));
    impl->lane_arena_bytes = static_cast<size_t>(plan.lane_arena_bytes);
    impl->shared_arena_bytes = static_cast<size_t>(plan.shared_arena_bytes);
    impl->optimised = std::move(plan.optimised);
  }
  impl->why_not_one_kernel = std::move(whole.why_not);
  impl->functions = device->compile(device_prelude(), kernels.sources());
  impl->device = std::move(device);
  return std::shared_ptr<const Executable>(new Executable(std::move(impl)));
}

const std::shared_ptr<Device>& Executable::device() const {
  return impl_->device;
}
const Program& Executable::optimised() const {
  return impl_->optimised;
}
size_t Executable::lane_arena_bytes() const {
  return impl_->lane_arena_bytes;
}
size_t Executable::shared_arena_bytes() const {
  return impl_->shared_arena_bytes;
}
size_t Executable::block_bytes() const {
  return impl_->block_bytes;
}
const std::string& Executable::why_not_one_kernel() const {
  return impl_->why_not_one_kernel;
}
size_t Executable::lane_launches() const {
  return impl_->lane.size();
}
size_t Executable::shared_launches() const {
  return impl_->shared.size();
}
size_t Executable::library_products() const {
  size_t count = 0;
  for (const auto* list : {&impl_->shared, &impl_->lane}) {
    count += static_cast<size_t>(std::ranges::count_if(
        *list, [](const PlannedLaunch& launch) { return launch.product.has_value(); }));
  }
  return count;
}

size_t Executable::lane_traffic_bytes() const {
  return impl_->lane_traffic_bytes;
}

struct Lanes::Impl {
  // An input or output of the program.
  struct External {
    std::string_view what;
    std::string_view name;
    TensorType type;
    std::vector<DeviceOperand*> places;
    bool per_lane = true;
    bool bound = false;
  };
  struct Launch {
    const DeviceFunction* function;  // null: a product
    const DeviceProduct* product;
    int64_t lanes;
    int64_t blocks;
    int threads;
    std::vector<DeviceOperand> operands;
  };

  std::shared_ptr<const Executable> executable;
  Device* device;
  int64_t count;
  DeviceMemory lane_arena, shared_arena;
  std::vector<External> inputs, outputs;
  std::vector<Launch> launches;

  Impl(std::shared_ptr<const Executable> e, int64_t lanes, const DeviceMemory& arena)
      : executable(std::move(e)), device(executable->impl().device.get()), count(lanes) {
    const Executable::Impl& plan = executable->impl();
    if (count < 1) throw BadInput(fmt::format("a call needs one lane or more, came {}", count));
    const size_t bytes = arena_bytes(*executable, count);
    OL_ASSERT(arena.owner == nullptr || arena.bytes >= bytes, "the lanes' arena is too small");
    lane_arena = arena.owner != nullptr ? arena : device->allocate(bytes);
    shared_arena = device->allocate(plan.shared_arena_bytes);
    for (const ProgramInput& input : plan.optimised.inputs) {
      inputs.push_back({"input",
                        input.name,
                        plan.optimised.type(input.value),
                        {},
                        input.binding == Binding::per_lane});
    }
    for (const ProgramOutput& output : plan.optimised.outputs) {
      outputs.push_back({"output", output.name, plan.optimised.type(output.value), {}});
    }
    launches.reserve(plan.shared.size() + plan.lane.size());
    for (const PlannedLaunch& launch : plan.shared) add(launch, 1);
    for (const PlannedLaunch& launch : plan.lane) add(launch, count);
  }

  void add(const PlannedLaunch& planned, int64_t lanes) {
    const DeviceLimits limits = device->limits();
    const bool is_product = planned.product.has_value();
    Launch& launch = launches.emplace_back(
        Launch{is_product ? nullptr : &executable->impl().functions[planned.function],
               is_product ? &*planned.product : nullptr, lanes, planned.blocks * lanes,
               planned.threads, std::vector<DeviceOperand>(planned.operands.size())});
    if (launch.blocks > limits.blocks) {
      throw BadInput(
          fmt::format("{} lanes of {} blocks each are more than the {} of a launch: run "
                      "fewer lanes at a time",
                      lanes, planned.blocks, limits.blocks));
    }
    OL_ASSERT(launch.operands.size() * sizeof(DeviceOperand) <= limits.argument_bytes &&
                  launch.threads <= limits.threads_per_block,
              "a kernel is outside of the device's limits");
    for (size_t i = 0; i < planned.operands.size(); ++i)
      place(planned.operands[i], launch.operands[i]);
  }

  void place(const Location& location, DeviceOperand& operand) {
    const auto at = static_cast<size_t>(location.at);
    switch (location.place) {
      case Place::input:
        inputs[at].places.push_back(&operand);
        break;
      case Place::output:
        outputs[at].places.push_back(&operand);
        break;
      case Place::lane_arena:
      case Place::lane_overflow:
        operand = {lane_arena.data + at, lane_stride(executable->lane_arena_bytes())};
        break;
      case Place::shared_arena:
        operand = {shared_arena.data + at, 0};
        break;
      case Place::unused:
        OL_ASSERT(false, "an operand has no place");
    }
  }

  static void bind(std::vector<External>& list, std::string_view what, int index, std::byte* data,
                   int64_t stride) {
    if (index < 0 || static_cast<size_t>(index) >= list.size()) {
      throw BadInput(fmt::format("the program has {} {}s, there is none of number {}", list.size(),
                                 what, index));
    }
    External& value = list[static_cast<size_t>(index)];
    const auto alignment = static_cast<int64_t>(size_of(value.type.dtype));
    if (data == nullptr && value.type.bytes() > 0) {
      throw BadInput(fmt::format("no memory for {} '{}' of the program, {}", what, value.name,
                                 to_string(value.type)));
    }
    if (reinterpret_cast<intptr_t>(data) % alignment != 0 || stride % alignment != 0) {
      throw BadInput(
          fmt::format("the memory of {} '{}' and the distance of its lanes must be "
                      "multiples of {} bytes",
                      what, value.name, alignment));
    }
    for (DeviceOperand* operand : value.places) *operand = {data, value.per_lane ? stride : 0};
    value.bound = true;
  }

  void check_bound() const {
    for (const auto* list : {&inputs, &outputs}) {
      for (const External& value : *list) {
        if (value.bound || value.places.empty()) continue;
        throw BadInput(
            fmt::format("{} '{}' of the program, {}, is not bound: bind it before running",
                        value.what, value.name, to_string(value.type)));
      }
    }
  }

  void run(const DeviceStream& stream) const {
    check_bound();
    for (const Launch& launch : launches) {
      const std::vector<DeviceOperand>& operands = launch.operands;
      if (launch.function != nullptr) {
        device->launch(stream, *launch.function, launch.blocks, launch.threads, operands);
      } else {
        device->multiply(stream, *launch.product, launch.lanes, operands[0], operands[1],
                         operands[2]);
      }
    }
  }
};

size_t Lanes::arena_bytes(const Executable& executable, int64_t count) {
  return static_cast<size_t>(lane_stride(executable.lane_arena_bytes()) * count);
}

Lanes::Lanes(std::shared_ptr<const Executable> executable, int64_t count, const DeviceMemory& arena)
    : impl_(std::make_unique<Impl>(std::move(executable), count, arena)) {}
Lanes::~Lanes() = default;
Lanes::Lanes(Lanes&&) noexcept = default;

void Lanes::bind_input(int index, std::byte* data, int64_t lane_stride) {
  Impl::bind(impl_->inputs, "input", index, data, lane_stride);
}
void Lanes::bind_output(int index, std::byte* data, int64_t lane_stride) {
  Impl::bind(impl_->outputs, "output", index, data, lane_stride);
}
void Lanes::run(const DeviceStream& stream) {
  impl_->run(stream);
}
DeviceGraph Lanes::record(const DeviceStream& stream) {
  impl_->check_bound();
  impl_->device->begin_recording(stream);
  impl_->run(stream);
  return impl_->device->end_recording(stream);
}

}  // namespace outerloop::exec::cuda
