// Taking parameters out of checkpoints: averages and files for other programs.

#include "outerloop/io/export.h"

#include <fmt/format.h>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/tools.h"

namespace outerloop::checkpoint {
namespace {

template <class T>
void set_values(Tensor& tensor, const std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) tensor.as<T>()[i] = static_cast<T>(values[i]);
}

// The mean of one tensor over trees that agree in names, types and shapes.
Tensor mean_of(std::span<const io::TensorTree* const> trees, size_t index) {
  const io::NamedTensor& first = (*trees[0])[index];
  if (!is_floating(first.value.dtype()))
    throw BadInput(fmt::format("average: tensor {} holds integers", first.name));
  std::vector<double> sum(static_cast<size_t>(first.value.elements()));
  for (const io::TensorTree* tree : trees) {
    const std::vector<double> values = (*tree)[index].value.to_doubles();
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
  }
  for (double& value : sum) value /= static_cast<double>(trees.size());
  Tensor mean(first.value.dtype(), first.value.shape());
  if (mean.dtype() == DType::f32)
    set_values<float>(mean, sum);
  else
    set_values<double>(mean, sum);
  return mean;
}

void require_alike(const io::TensorTree& a, const io::TensorTree& b) {
  if (a.size() != b.size())
    throw BadInput(fmt::format("average: {} tensors against {}: expected checkpoints of one model",
                               a.size(), b.size()));
  for (size_t i = 0; i < a.size(); ++i) {
    const Tensor &x = a[i].value, &y = b[i].value;
    if (a[i].name != b[i].name || x.dtype() != y.dtype() || x.shape() != y.shape())
      throw BadInput(fmt::format("average: {} {} {} against {} {} {}", a[i].name,
                                 name_of(x.dtype()), to_string(x.shape()), b[i].name,
                                 name_of(y.dtype()), to_string(y.shape())));
  }
}

io::TensorTree average_trees(std::span<const Checkpoint> checkpoints,
                             io::TensorTree Checkpoint::*tree) {
  std::vector<const io::TensorTree*> trees;
  for (const Checkpoint& checkpoint : checkpoints) {
    trees.push_back(&(checkpoint.*tree));
    require_alike(*trees[0], *trees.back());
  }
  io::TensorTree means;
  for (size_t i = 0; i < trees[0]->size(); ++i)
    means.push_back({(*trees[0])[i].name, mean_of(trees, i)});
  return means;
}

void write_model(Checkpoint checkpoint, const std::filesystem::path& file, ExportValues values) {
  checkpoint.optimizer.clear();
  if (values == ExportValues::last) checkpoint.ema.clear();
  AtomicFile output(file);
  write_checkpoint(checkpoint, output.temporary());
  output.commit();
}

}  // namespace

Checkpoint average(std::span<const Checkpoint> checkpoints) {
  if (checkpoints.empty()) throw BadInput("average: expected at least one checkpoint");
  Checkpoint result = deep_copy(checkpoints.back());
  result.parameters = average_trees(checkpoints, &Checkpoint::parameters);
  result.ema = average_trees(checkpoints, &Checkpoint::ema);
  return result;
}

void export_parameters(const Checkpoint& checkpoint, const std::filesystem::path& file,
                       ExportFormat format, ExportValues values) {
  if (format == ExportFormat::model) return write_model(checkpoint, file, values);
  const bool mean = values == ExportValues::tested && !checkpoint.ema.empty();
  const io::TensorTree& tensors = mean ? checkpoint.ema : checkpoint.parameters;
  if (format == ExportFormat::npz) return io::write_npz(file, tensors);
  io::write_safetensors(file, tensors,
                        {{"config_hash", checkpoint.config_hash},
                         {"format", "outerloop"},
                         {"iteration", std::to_string(checkpoint.iteration)}});
}

}  // namespace outerloop::checkpoint
