#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "checkpoint/file_format.h"
#include "checkpoint/flatten.h"
#include "outerloop/checkpoint/tools.h"

namespace outerloop::checkpoint {
namespace {

TensorSummary summarize_tensor(const io::NamedTensor& tensor) {
  TensorSummary summary{.name = tensor.name,
                        .dtype = tensor.value.dtype(),
                        .shape = tensor.value.shape(),
                        .minimum = std::numeric_limits<double>::infinity(),
                        .maximum = -std::numeric_limits<double>::infinity(),
                        .hash = hash_of(tensor.value)};
  const std::vector<double> values = tensor.value.to_doubles();
  double sum = 0, squares = 0;
  int64_t finite = 0;
  for (double value : values) {
    if (!std::isfinite(value)) continue;
    ++finite;
    sum += value;
    summary.minimum = std::min(summary.minimum, value);
    summary.maximum = std::max(summary.maximum, value);
  }
  summary.not_finite = static_cast<int64_t>(values.size()) - finite;
  if (finite == 0) {
    summary.mean = summary.deviation = summary.minimum = summary.maximum = std::nan("");
    return summary;
  }
  summary.mean = sum / static_cast<double>(finite);
  for (double value : values)
    if (std::isfinite(value)) squares += (value - summary.mean) * (value - summary.mean);
  summary.deviation = std::sqrt(squares / static_cast<double>(finite));
  return summary;
}

}  // namespace

std::vector<TensorSummary> summarize(const Checkpoint& checkpoint) {
  std::vector<TensorSummary> summaries;
  for (const io::NamedTensor& tensor : flatten(checkpoint).tensors)
    summaries.push_back(summarize_tensor(tensor));
  return summaries;
}

std::string show(const Checkpoint& checkpoint) {
  std::string text;
  for (const auto& [name, value] : flatten(checkpoint).fields) {
    const auto lines = std::count(value.begin(), value.end(), '\n');
    text += lines > 1 ? fmt::format("{}  ({} lines)\n", name, lines)
                      : fmt::format("{}  {}\n", name, value);
  }
  const std::vector<TensorSummary> tensors = summarize(checkpoint);
  size_t width = 6;
  for (const TensorSummary& tensor : tensors) width = std::max(width, tensor.name.size());
  text += fmt::format("\n{:<{}}  type  {:<16} {:>11} {:>11} {:>11} {:>11}  {:<16}\n", "tensor",
                      width, "shape", "mean", "std", "min", "max", "xxh3");
  for (const TensorSummary& tensor : tensors) {
    text += fmt::format("{:<{}}  {:<4}  {:<16} {:>11.4g} {:>11.4g} {:>11.4g} {:>11.4g}  {}",
                        tensor.name, width, name_of(tensor.dtype), to_string(tensor.shape),
                        tensor.mean, tensor.deviation, tensor.minimum, tensor.maximum, tensor.hash);
    if (tensor.not_finite > 0) text += fmt::format("  {} NOT FINITE", tensor.not_finite);
    text += '\n';
  }
  return text;
}

}  // namespace outerloop::checkpoint
