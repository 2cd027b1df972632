#pragma once
// What `outerloop ckpt` does: show, diff, average, export. Verify is verify_checkpoint().

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outerloop/checkpoint/checkpoint.h"

namespace outerloop::checkpoint {

struct TensorSummary {
  std::string name;  // with its tree: "parameters/net/conv1/weight"
  DType dtype = DType::f32;
  Shape shape;
  // Over the finite elements; the deviation divides by their number.
  double mean = 0, deviation = 0, minimum = 0, maximum = 0;
  int64_t not_finite = 0;
  std::string hash;  // xxh3-64 of the bytes, as stored in the file
};

std::vector<TensorSummary> summarize(const Checkpoint& checkpoint);

// A table for people: the scalars, then one line a tensor.
std::string show(const Checkpoint& checkpoint);

struct TensorDifference {
  std::string name;
  int64_t elements = 0;          // that differ in their bits
  double largest = 0;            // max |a − b|
  double relative = 0;           // ‖a − b‖ / ‖b‖; infinite where b is zero
  std::optional<double> cosine;  // of the angle between a and b, where neither is zero
};

struct Difference {
  std::vector<std::string> fields;  // differing scalars, shapes, missing tensors: one line each
  std::vector<TensorDifference> tensors;  // in the order of the file; the first one is the first
  bool identical() const { return fields.empty() && tensors.empty(); }
};

Difference diff(const Checkpoint& a, const Checkpoint& b);
// "identical", or the first differing tensor with its numbers and a line for each other difference.
std::string to_text(const Difference& difference);

// The last checkpoint with parameters (and ema) replaced by the element-wise mean over all, without
// the optimiser's state, which is of no mean; the text "averaged_from" says of what. Sums run in
// the given order in double. Throws BadInput when names or shapes differ, and says where by
// `paths`, one for each checkpoint.
Checkpoint average(std::span<const Checkpoint> checkpoints, std::span<const std::string> paths);

// `model`: a checkpoint without the optimiser's state. Whatever reads checkpoints reads it, with
// the same results; no training can go on from it, unless its optimiser has no state.
enum class ExportFormat { safetensors, npz, model };

// `tested`: those that tests are made with, the running mean where the checkpoint holds one.
enum class ExportValues { tested, last };

// Writes the parameters under their plain names. A model with the tested values holds both kinds
// where there are two; with the last ones it has no running mean and is tested with them.
void export_parameters(const Checkpoint& checkpoint, const std::filesystem::path& file,
                       ExportFormat format, ExportValues values = ExportValues::tested);

}  // namespace outerloop::checkpoint
