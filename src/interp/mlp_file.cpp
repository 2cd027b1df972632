// Networks from files of tensors.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "outerloop/base/error.h"
#include "outerloop/interp/mlp.h"
#include "outerloop/io/import.h"

namespace outerloop::interp {

namespace {

constexpr int64_t kHead = INT64_MAX;  // after any number

// A layer as it stands in a file.
struct Parts {
  std::string name;
  bool outputs_first = false;
  const Tensor* weight = nullptr;
  const Tensor* bias = nullptr;
};

// The number at the end of a layer's name.
std::optional<int64_t> number_of(std::string_view name) {
  const size_t first = name.find_last_not_of("0123456789") + 1;
  int64_t number = 0;
  const auto read = std::from_chars(name.data() + first, name.data() + name.size(), number);
  if (read.ec != std::errc{} || number == kHead) return std::nullopt;
  return number;
}

// The weights in use among those of a checkpoint: the averaged ones, if there are any.
std::string prefix_in_use(const io::TensorTree& tensors) {
  for (const char* prefix : {"ema/", "parameters/"}) {
    const auto has = [&](const io::NamedTensor& one) { return one.name.starts_with(prefix); };
    if (std::ranges::any_of(tensors, has)) return prefix;
  }
  return "";
}

// Puts a tensor to its layer; false where its name is none of a layer's.
bool place(const io::NamedTensor& tensor, std::string_view name, std::map<int64_t, Parts>& layers) {
  const size_t cut = name.find_last_of("./");
  if (cut == name.npos) return false;
  const std::string_view layer = name.substr(0, cut), part = name.substr(cut + 1);
  const bool outputs_first = name[cut] == '.';
  const auto number = !outputs_first && layer == "net/head" ? kHead : number_of(layer);
  if (!number || (!outputs_first && layer != "net/head" && !layer.starts_with("net/dense"))) {
    return false;
  }
  Parts& parts = layers[*number];
  if (!parts.name.empty() && parts.name != layer) return false;
  parts.name = layer;
  parts.outputs_first = outputs_first;
  const Tensor*& slot = part == "weight" ? parts.weight : parts.bias;
  if ((part != "weight" && part != "bias") || slot != nullptr) return false;
  slot = &tensor.value;
  return true;
}

MlpLayer layer_of(const Parts& parts, const std::string& where) {
  if (parts.weight == nullptr || parts.weight->shape().rank() != 2 ||
      parts.weight->elements() == 0) {
    throw BadInput(fmt::format("{}: layer {} has no weight that is a matrix", where, parts.name));
  }
  const Shape& shape = parts.weight->shape();
  const std::vector<double> stored = parts.weight->to_doubles();
  MlpLayer layer{.inputs = static_cast<size_t>(shape[parts.outputs_first ? 1 : 0]),
                 .outputs = static_cast<size_t>(shape[parts.outputs_first ? 0 : 1]),
                 .weight = stored,
                 .bias = {}};
  for (size_t i = 0; parts.outputs_first && i < layer.inputs; ++i) {
    for (size_t o = 0; o < layer.outputs; ++o) {
      layer.weight[i * layer.outputs + o] = stored[o * layer.inputs + i];
    }
  }
  layer.bias.assign(layer.outputs, 0);
  if (parts.bias != nullptr) layer.bias = parts.bias->to_doubles();
  if (layer.bias.size() != layer.outputs) {
    throw BadInput(fmt::format("{}: layer {} has {} outputs but a bias of {}", where, parts.name,
                               layer.outputs, layer.bias.size()));
  }
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::ranges::all_of(layer.weight, finite) || !std::ranges::all_of(layer.bias, finite)) {
    throw BadInput(fmt::format("{}: layer {} holds values that are not finite", where, parts.name));
  }
  return layer;
}

}  // namespace

Mlp read_mlp(const std::filesystem::path& file, MlpActivation activation) {
  const std::string where = file.string();
  const io::TensorTree tensors = io::read_tensors(file);
  const std::string prefix = prefix_in_use(tensors);
  std::map<int64_t, Parts> layers;
  for (const io::NamedTensor& tensor : tensors) {
    if (!tensor.name.starts_with(prefix)) continue;
    if (place(tensor, std::string_view(tensor.name).substr(prefix.size()), layers)) continue;
    throw BadInput(
        fmt::format("{}: expected net/dense1/weight, …, net/head/weight or layer1.weight, …, and "
                    "bias beside, there is '{}'",
                    where, tensor.name));
  }
  if (layers.empty()) throw BadInput(where + ": holds no tensors");
  Mlp mlp{.layers = {}, .activation = activation};
  for (const auto& [number, parts] : layers) {
    MlpLayer layer = layer_of(parts, where);
    if (!mlp.layers.empty() && mlp.outputs() != layer.inputs) {
      throw BadInput(fmt::format("{}: layer {} takes {} inputs, the one before gives {}", where,
                                 parts.name, layer.inputs, mlp.outputs()));
    }
    mlp.layers.push_back(std::move(layer));
  }
  return mlp;
}

}  // namespace outerloop::interp
