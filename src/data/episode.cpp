#include "outerloop/data/episode.h"

#include <algorithm>

namespace outerloop::data {
namespace {

template <class T>
std::span<T> values(Tensor& tensor) {
  return tensor.dtype() == dtype_of<T> ? tensor.as<T>() : std::span<T>{};
}

Tensor tensor_of(const TensorSpec& spec) {
  return Tensor(spec.dtype, spec.shape);
}

}  // namespace

std::string_view name_of(Split split) {
  constexpr std::array<std::string_view, 3> kNames = {"train", "validation", "test"};
  return kNames[static_cast<size_t>(split)];
}

std::optional<Split> split_named(std::string_view name) {
  if (name == "val" || name == "valid") return Split::validation;
  const auto found = std::ranges::find(kSplits, name, name_of);
  return found == kSplits.end() ? std::nullopt : std::optional(*found);
}

Episode::Episode(const EpisodeSpec& spec)
    : support_x(tensor_of(spec.support_x)),
      support_y(tensor_of(spec.support_y)),
      query_x(tensor_of(spec.query_x)),
      query_y(tensor_of(spec.query_y)) {
  if (spec.minibatches) minibatches = tensor_of(*spec.minibatches);
}

EpisodeBuffers Episode::buffers() {
  EpisodeBuffers result{.support_x = support_x.as<float>(),
                        .query_x = query_x.as<float>(),
                        .support_targets = values<float>(support_y),
                        .query_targets = values<float>(query_y),
                        .support_labels = values<int32_t>(support_y),
                        .query_labels = values<int32_t>(query_y)};
  if (!minibatches.empty()) result.minibatches = minibatches.as<int32_t>();
  return result;
}

}  // namespace outerloop::data
