#pragma once
// The whole state of a training between two iterations, and its file.
//
// The file is HDF5 (format "outerloop-checkpoint"), sealed (outerloop/io/seal.h), and holds neither
// time nor host nor world size: equal state gives equal bytes.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "outerloop/base/error.h"
#include "outerloop/io/named_tensor.h"

namespace outerloop::checkpoint {

struct Checkpoint {
  int64_t iteration = 0;            // outer iterations done
  std::string config;               // the resolved config, YAML
  std::string config_hash;          // of the config, as its owner defines it
  std::string dataset_fingerprint;  // of the data that the run draws tasks from

  io::TensorTree parameters;  // meta-parameters θ
  io::TensorTree optimizer;   // state of the outer optimiser
  io::TensorTree ema;         // moving average of θ; empty when not in use
  io::TensorTree state;       // any other arrays (batch-norm statistics, metric windows)

  // Scalars by name: seed, best validation result, early stopping, schedule cursor, …
  std::map<std::string, int64_t> integers;
  std::map<std::string, double> reals;
  std::map<std::string, std::string> texts;
};

inline constexpr int kFormatVersion = 1;

// The file comes from a later version of the program. It is whole, so no older one may replace it.
class NewerFormat : public BadInput {
 public:
  using BadInput::BadInput;
};

// Writes a new sealed file; it is complete but not synced. Throws SystemFailure (also when the file
// exists) and BadInput on tensor names that occur twice or cannot be paths.
void write_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& file);

// For a file that a user names: throws BadInput when it is not there, or when it begins like
// neither a checkpoint nor HDF5 and so is of another kind rather than damaged.
void require_checkpoint(const std::filesystem::path& file);

// Reads and verifies everything. Throws CorruptFile with file, data set and chunk when anything
// differs from what was written, BadInput when the file is not there or is no checkpoint.
Checkpoint read_checkpoint(const std::filesystem::path& file);

// The checks of read_checkpoint with one tensor in memory at a time.
void verify_checkpoint(const std::filesystem::path& file);

// SHA-256 of the file's bytes, and so of the state.
std::string content_hash(const std::filesystem::path& file);

// With tensors of its own: later changes to the original's tensors do not reach the copy.
Checkpoint deep_copy(const Checkpoint& checkpoint);

}  // namespace outerloop::checkpoint
