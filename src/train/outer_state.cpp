#include "train/outer_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

// The optimiser's state that a checkpoint keeps as a tree of parameters of its own.
constexpr std::string_view kRunningMean = "ema";

// Takes the numbers of a TrainingState out of it, or puts them back.
struct Packer {
  std::vector<int64_t>& integers;
  std::vector<double>& reals;
  void operator()(const char*, int64_t& value) const { integers.push_back(value); }
  void operator()(const char*, double& value) const { reals.push_back(value); }
  void added(const std::string&, int64_t& value) const { integers.push_back(value); }
  void added(const std::string&, double& value) const { reals.push_back(value); }
};
struct Unpacker {
  const int64_t* integer;
  const double* real;
  void operator()(const char*, int64_t& value) { value = *integer++; }
  void operator()(const char*, double& value) { value = *real++; }
  void added(const std::string&, int64_t& value) { value = *integer++; }
  void added(const std::string&, double& value) { value = *real++; }
};

}  // namespace

void store_outer_state(const OuterState& state, const optim::ThetaLayout& layout,
                       checkpoint::Checkpoint& to) {
  to.parameters = unflatten(state.theta, layout);
  for (const io::NamedTensor& item : state.optimizer) {
    if (item.name == kRunningMean) {
      to.ema = unflatten(item.value, layout);
    } else {
      to.optimizer.push_back(item);
    }
  }
  to.integers["updates"] = state.updates;
}

OuterState read_outer_state(const checkpoint::Checkpoint& from, const OuterState& like,
                            const optim::ThetaLayout& layout, const std::filesystem::path& source) {
  OuterState state{.theta = flatten(from.parameters, layout)};
  for (const io::NamedTensor& item : like.optimizer) {
    if (item.name == kRunningMean && !from.ema.empty()) {
      state.optimizer.push_back({item.name, flatten(from.ema, layout)});
      continue;
    }
    const auto place = std::ranges::find(from.optimizer, item.name, &io::NamedTensor::name);
    if (place == from.optimizer.end() || place->value.shape() != item.value.shape()) {
      throw BadInput(fmt::format(
          "{}: the checkpoint lacks the optimiser's '{}', without which a training cannot go on "
          "(an exported model has none)",
          source.string(), item.name));
    }
    state.optimizer.push_back(*place);
  }
  // Checkpoints without it are older: they counted iterations.
  const auto updates = from.integers.find("updates");
  state.updates = updates == from.integers.end() ? from.iteration : updates->second;
  return state;
}

const Tensor& test_theta(const OuterState& state) {
  for (const io::NamedTensor& item : state.optimizer) {
    if (item.name == kRunningMean) return item.value;
  }
  return state.theta;
}

void broadcast_state(comm::Communicator& ranks, OuterState& outer, TrainingState& training,
                     int root) {
  ranks.broadcast("theta", outer.theta.as<float>(), root);
  for (io::NamedTensor& item : outer.optimizer) {
    ranks.broadcast("optimiser", item.value.as<float>(), root);
  }
  std::vector<int64_t> integers;
  std::vector<double> reals;
  training.visit(Packer{integers, reals});
  integers.push_back(outer.updates);
  ranks.broadcast("counters", std::span(integers), root);
  ranks.broadcast("sums", std::span(reals), root);
  training.visit(Unpacker{integers.data(), reals.data()});
  outer.updates = integers.back();
}

}  // namespace outerloop::train
