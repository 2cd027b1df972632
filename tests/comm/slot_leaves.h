#pragma once
// Random slots and what their sum is by definition.

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace outerloop::comm {

using Leaf = std::optional<std::vector<float>>;  // none: the slot is absent

// Node (level, index) by recursion on halves.
inline Leaf node_by_definition(const std::vector<Leaf>& leaves, int level, int64_t index) {
  if (level == 0) {
    return index < static_cast<int64_t>(leaves.size()) ? leaves[static_cast<size_t>(index)]
                                                       : std::nullopt;
  }
  auto left = node_by_definition(leaves, level - 1, 2 * index);
  const auto right = node_by_definition(leaves, level - 1, 2 * index + 1);
  if (!left) return right;
  if (!right) return left;
  for (size_t i = 0; i < left->size(); ++i) (*left)[i] += (*right)[i];
  return left;
}

inline std::vector<Leaf> random_leaves(int64_t slots, int64_t elements, double absent,
                                       uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::bernoulli_distribution missing(absent);
  std::vector<Leaf> leaves(static_cast<size_t>(slots));
  for (Leaf& leaf : leaves) {
    std::vector<float> values(static_cast<size_t>(elements));
    for (float& value : values) value = normal(generator) * 1e3f;
    if (!missing(generator)) leaf = values;
  }
  return leaves;
}

}  // namespace outerloop::comm
