#pragma once
// hashes.bin: the hashes of every iteration of a training. Two lines of text (the format, then JSON
// with the number of slots and the names of the parameters), then rows of one size: the iteration
// (int64), and uint32 words: the state by parameter, the slots, the gradients by parameter.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outerloop/io/append_file.h"
#include "outerloop/train/meta_step.h"

namespace outerloop::train {

// What the words of a row are of.
struct HashNames {
  int64_t slots = 0;
  std::vector<std::string> parameters;

  size_t words() const { return static_cast<size_t>(slots) + 2 * parameters.size(); }
  size_t row_bytes() const { return sizeof(int64_t) + words() * sizeof(uint32_t); }
  bool operator==(const HashNames&) const = default;
};
HashNames hash_names(const config::Config& config, const optim::ThetaLayout& layout);

struct HashRow {
  int64_t iteration = 0;  // 1: the first, which leads from the initial state to state 1
  std::vector<uint32_t> state;
  std::vector<uint32_t> slots;
  std::vector<uint32_t> gradients;
  bool operator==(const HashRow&) const = default;
};

class HashFile {
 public:
  // Throws BadInput when there is no such file, CorruptFile when its head is damaged. A torn last
  // row is passed over.
  explicit HashFile(const std::filesystem::path& file);

  const HashNames& names() const { return names_; }
  // Rows are by rising iteration.
  size_t rows() const;
  HashRow row(size_t place) const;
  int64_t iteration(size_t place) const;
  std::optional<HashRow> find(int64_t iteration) const;
  // First row past the iteration, or rows().
  size_t after(int64_t iteration) const;
  size_t bytes_until(size_t place) const { return begin_ + place * names_.row_bytes(); }

 private:
  std::string content_;
  size_t begin_ = 0;  // of the rows
  HashNames names_;
};

class HashWriter {
 public:
  // For a run that goes on from `iteration` (0: from its start): drops rows past it.
  HashWriter(const std::filesystem::path& file, const HashNames& names, int64_t iteration);

  void append(std::span<const HashRow> rows);

 private:
  io::AppendFile file_;
};

}  // namespace outerloop::train
