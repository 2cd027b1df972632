#pragma once
// Where two trainings of one config part, by the hashes that both wrote (hashes.bin).

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace outerloop::train {

// The first iteration whose hashes differ.
struct Divergence {
  int64_t iteration = 0;             // 1: the first
  std::vector<int64_t> slots;        // whose gradients differ
  std::vector<std::string> tensors;  // parameters whose gradients differ
  // Parameters that differ after the update, or whose optimiser state does.
  std::vector<std::string> state;
};

struct Comparison {
  int64_t iterations = 0;  // that both logged
  std::optional<Divergence> first;
};

// Of two run folders. Throws BadInput when one has no hashes.bin, when their slots or parameters
// are not the same, or when they have no iteration in common.
Comparison compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);

// "iteration 7, slot 3, tensor net/dense0/weight"
std::string describe(const Divergence& divergence);
std::string describe(const Comparison& comparison);

}  // namespace outerloop::train
