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

struct Tree {
  const char* name;
  io::TensorTree Checkpoint::*tensors;
};

// "net/w f32 (8, 8)"
std::string described(const io::NamedTensor& tensor) {
  return fmt::format("{} {} {}", tensor.name, name_of(tensor.value.dtype()),
                     to_string(tensor.value.shape()));
}

// How the second differs from the first, "4 tensors of …, expected 6"; empty: it does not.
std::string unlike(const io::TensorTree& a, const io::TensorTree& b, const char* name) {
  if (a.size() != b.size())
    return fmt::format("{} tensors of {}, expected {}", b.size(), name, a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const std::string found = described(b[i]), expected = described(a[i]);
    if (found != expected) return fmt::format("{}, expected {}", found, expected);
  }
  return {};
}

io::TensorTree average_trees(std::span<const Checkpoint> checkpoints,
                             std::span<const std::string> paths, const Tree& tree) {
  std::vector<const io::TensorTree*> trees;
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    trees.push_back(&(checkpoints[i].*tree.tensors));
    const std::string difference = unlike(*trees[0], *trees[i], tree.name);
    if (difference.empty()) continue;
    throw BadInput(fmt::format("{}: {} as in {}; average checkpoints of one model", paths[i],
                               difference, paths[0]));
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

Checkpoint average(std::span<const Checkpoint> checkpoints, std::span<const std::string> paths) {
  OL_ASSERT(checkpoints.size() == paths.size(), "a path for each checkpoint");
  if (checkpoints.empty()) throw BadInput("average: expected at least one checkpoint");
  Checkpoint result = deep_copy(checkpoints.back());
  result.parameters =
      average_trees(checkpoints, paths, {"the parameters", &Checkpoint::parameters});
  result.ema = average_trees(checkpoints, paths, {"the running mean", &Checkpoint::ema});
  result.optimizer.clear();
  std::string& origin = result.texts["averaged_from"];
  for (const Checkpoint& each : checkpoints) {
    origin += fmt::format("{}iteration {} of config {}", origin.empty() ? "" : ", ", each.iteration,
                          each.config_hash);
  }
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
