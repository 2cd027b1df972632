#include "train/device_update.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"
#include "outerloop/optim/outer.h"

namespace outerloop::train {
namespace {

template <class T>
std::span<T> values_of(const exec::PinnedMemory& memory) {
  return {reinterpret_cast<T*>(memory.bytes.data()), memory.bytes.size() / sizeof(T)};
}

// A step of the outer optimiser with the mean gradient. Inputs sum (elements,) and count (), of
// which it is made, then those of optim::OuterPlan::update but its gradient. Outputs theta,
// state/<name>, and mean (elements,): clipping would make a finite step of an infinite one.
Program update_program(const config::Outer& config, int64_t elements) {
  const optim::OuterPlan plan = optim::make_outer_plan(config, elements);
  const Program& update = *plan.update;
  Builder builder;
  const auto input = [&](const std::string& name, const TensorType& type) {
    return builder.input(name, type, Binding::per_lane);
  };
  const Expr sum = input("sum", {DType::f32, Shape{elements}});
  // The division is one of each element: as a number of its own it would be a launch.
  const Expr count = broadcast_to(input("count", {DType::f32, {}}), {elements});
  const Expr mean = sum * (1.0 / count);
  std::vector<Expr> arguments;
  for (const ProgramInput& in : update.inputs) {
    arguments.push_back(in.name == "gradient" ? mean : input(in.name, update.type(in.value)));
  }
  const std::vector<Expr> results = builder.inline_program(update, arguments);
  for (size_t o = 0; o < results.size(); ++o) builder.output(update.outputs[o].name, results[o]);
  builder.output("mean", mean);
  return builder.finish();
}

}  // namespace

DeviceUpdate::DeviceUpdate(const config::Config& config, const nn::ParameterSpecs& parameters,
                           const optim::ThetaLayout& layout, DeviceState& state,
                           comm::DeviceRanks* ranks)
    : config_(config.outer),
      state_(state),
      ranks_(ranks),
      parameters_(layout.entries.size()),
      // In one block, a vector would wait for its few threads.
      executable_(exec::cuda::Executable::compile(update_program(config_, layout.elements),
                                                  state.shared_device(), {},
                                                  exec::cuda::Steps::one_by_one)),
      lanes_(executable_, 1),
      bit_sums_(state.shared_device(), ends_of(layout)),
      commit_(state.shared_device(),
              {.elements = static_cast<int64_t>(state.bytes() / sizeof(float)),
               .hashes = static_cast<int64_t>(state.vectors() * parameters_),
               .flags = static_cast<int64_t>((state.vectors() + 1) * parameters_)}) {
  exec::Device& device = state_.device();
  const size_t hash_bytes = state_.vectors() * parameters_ * sizeof(uint32_t);
  const size_t next_hash_bytes = hash_bytes + parameters_ * sizeof(uint32_t);
  head_ = device.allocate(sizeof(Head));
  sum_ = device.allocate(state_.vector_bytes() + sizeof(float));
  made_ = device.allocate(sizeof(float));
  hashes_ = device.allocate(hash_bytes);
  next_ = device.allocate(state_.bytes() + state_.vector_bytes());
  next_hashes_ = device.allocate(next_hash_bytes);
  finite_ = device.allocate(next_hash_bytes);
  host_head_ = device.allocate_pinned(sizeof(Head));
  host_made_ = device.allocate_pinned(sizeof(float));
  host_hashes_ = device.allocate_pinned(hash_bytes);
  bind(decaying_weights(config_, parameters, layout));
  launch_hashes();
  device.begin_recording(state_.stream());
  launch();
  graph_ = device.end_recording(state_.stream());
}

void DeviceUpdate::bind(const Tensor& decay_mask) {
  if (!decay_mask.empty()) {
    decay_mask_ = state_.device().allocate(decay_mask.bytes());
    state_.device().upload(state_.stream(), decay_mask_.data,
                           {decay_mask.data(), decay_mask.bytes()});
    state_.device().synchronize(state_.stream());
  }
  std::map<std::string, size_t> places{{"theta", 0}};  // in the state, and in what comes next
  for (const io::NamedTensor& item : state_.on_host().optimizer) {
    places["state/" + item.name] = places.size() * state_.vector_bytes();
  }
  std::map<std::string, std::byte*> inputs{
      {"sum", sum_.data},
      {"decay_mask", decay_mask_.data},
      {"count", reinterpret_cast<std::byte*>(count())},
      {"rate", head_.data + offsetof(Head, rate)},
      {"correction1", head_.data + offsetof(Head, correction1)},
      {"correction2", head_.data + offsetof(Head, correction2)}};
  std::map<std::string, std::byte*> outputs{{"mean", next_.data + state_.bytes()}};
  for (const auto& [name, offset] : places) {
    inputs[name] = state_.data() + offset;
    outputs[name] = next_.data + offset;
  }
  const Program& program = executable_->optimised();
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    lanes_.bind_input(static_cast<int>(i), inputs.at(program.inputs[i].name));
  }
  for (size_t o = 0; o < program.outputs.size(); ++o) {
    lanes_.bind_output(static_cast<int>(o), outputs.at(program.outputs[o].name), 0);
  }
}

std::span<float> DeviceUpdate::sum_and_count() const {
  return {reinterpret_cast<float*>(sum_.data), sum_.bytes / sizeof(float)};
}

std::span<float> DeviceUpdate::sum() const {
  return sum_and_count().first(sum_.bytes / sizeof(float) - 1);
}

void DeviceUpdate::launch() {
  lanes_.run(state_.stream());
  bit_sums(state_.vectors() + 1, next_.data, next_hashes_.data);
  commit_.run(state_.stream(), {.flags = finite_.data,
                                .next = next_.data,
                                .next_hashes = next_hashes_.data,
                                .state = state_.data(),
                                .hashes = hashes_.data,
                                .made = made_.data});
}

void DeviceUpdate::count_updates(int64_t made) {
  state_.count_updates(made);
  hashes_are_old_ = true;
}

// Of the state: a step that is not made leaves them as they are.
void DeviceUpdate::launch_hashes() {
  bit_sums(state_.vectors(), state_.data(), hashes_.data);
}

void DeviceUpdate::bit_sums(size_t vectors, std::byte* values, std::byte* hashes) {
  const auto stride = static_cast<int64_t>(parameters_ * sizeof(uint32_t));
  bit_sums_.run(state_.stream(), static_cast<int64_t>(vectors),
                {values, static_cast<int64_t>(state_.vector_bytes())}, {hashes, stride},
                {finite_.data, stride});
}

void DeviceUpdate::set_state(const OuterState& state) {
  state_.set(state);
  launch_hashes();
  hashes_are_old_ = true;
}

bool DeviceUpdate::apply(int64_t iteration, std::span<const comm::SlotNode> nodes, int64_t) {
  exec::Device& device = state_.device();
  const exec::DeviceStream& stream = state_.stream();
  OL_ASSERT(nodes.size() == 1 && nodes[0].data == sum().data(), "the sum is elsewhere");
  const optim::OuterScalars scalars = optim::outer_scalars(config_, iteration, state_.updates());
  values_of<Head>(host_head_)[0] = {.rate = static_cast<float>(scalars.rate),
                                    .correction1 = static_cast<float>(scalars.correction1),
                                    .correction2 = static_cast<float>(scalars.correction2)};
  device.upload(stream, head_.data, host_head_.bytes);
  device.launch(stream, graph_);
  device.download(stream, host_made_.bytes, made_.data);
  device.download(stream, host_hashes_.bytes, hashes_.data);
  // Nobody who waits for a stream alone would hear of a rank that failed.
  if (ranks_ != nullptr) ranks_->wait();
  device.synchronize(stream);
  hashes_are_old_ = false;
  const bool made = values_of<float>(host_made_)[0] != 0;
  state_.count_updates(made ? 1 : 0);
  return made;
}

void DeviceUpdate::hash_state(std::span<uint32_t> hashes) {
  if (hashes_are_old_) {
    state_.device().download(state_.stream(), host_hashes_.bytes, hashes_.data);
    state_.device().synchronize(state_.stream());
    hashes_are_old_ = false;
  }
  const auto all = values_of<uint32_t>(host_hashes_);
  for (size_t p = 0; p < parameters_; ++p) {
    hashes[p] = 0;
    for (size_t v = 0; v < state_.vectors(); ++v) hashes[p] += all[v * parameters_ + p];
  }
}

}  // namespace outerloop::train
