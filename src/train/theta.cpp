#include "outerloop/train/theta.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

std::span<float> part(Tensor& flat, const optim::ThetaEntry& entry) {
  return flat.as<float>().subspan(static_cast<size_t>(entry.offset),
                                  static_cast<size_t>(entry.shape.elements()));
}

}  // namespace

optim::ThetaLayout layout_of(const nn::ParameterSpecs& parameters) {
  std::vector<std::pair<std::string, Shape>> named;
  for (const nn::ParameterSpec& spec : parameters) named.emplace_back(spec.name, spec.shape);
  return optim::make_theta_layout(named);
}

std::vector<int64_t> ends_of(const optim::ThetaLayout& layout) {
  std::vector<int64_t> ends;
  for (const optim::ThetaEntry& entry : layout.entries) ends.push_back(entry.offset);
  ends.erase(ends.begin());
  ends.push_back(layout.elements);
  return ends;
}

Tensor initial_theta(const nn::ParameterSpecs& parameters, const optim::ThetaLayout& layout,
                     uint64_t seed) {
  Tensor flat(DType::f32, Shape{layout.elements});
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor value = nn::initial_value(parameters[i], seed);
    std::ranges::copy(value.as<float>(), part(flat, layout.entries[i]).begin());
  }
  return flat;
}

io::TensorTree unflatten(const Tensor& flat, const optim::ThetaLayout& layout) {
  Tensor source = flat;
  io::TensorTree tree;
  for (const optim::ThetaEntry& entry : layout.entries) {
    tree.push_back({entry.name, Tensor::from<float>(entry.shape, part(source, entry))});
  }
  return tree;
}

Tensor flatten(const io::TensorTree& tree, const optim::ThetaLayout& layout) {
  Tensor flat(DType::f32, Shape{layout.elements});
  if (tree.size() != layout.entries.size()) {
    throw BadInput(fmt::format("the checkpoint holds {} parameters, the config's learner has {}",
                               tree.size(), layout.entries.size()));
  }
  for (const io::NamedTensor& item : tree) {
    const optim::ThetaEntry* entry = layout.find(item.name);
    if (entry == nullptr || !(entry->shape == item.value.shape()) ||
        item.value.dtype() != DType::f32) {
      throw BadInput(fmt::format(
          "the checkpoint's parameter '{}' {} does not fit the config's learner ({}); use the "
          "config that the run was started with",
          item.name, to_string(item.value.shape()),
          entry ? to_string(entry->shape) : "no such parameter"));
    }
    std::ranges::copy(item.value.as<float>(), part(flat, *entry).begin());
  }
  return flat;
}

Tensor answering_theta(const checkpoint::Checkpoint& stored, const optim::ThetaLayout& layout) {
  return flatten(stored.ema.empty() ? stored.parameters : stored.ema, layout);
}

}  // namespace outerloop::train
