#include "outerloop/interp/task_learner.h"

#include <algorithm>
#include <bit>

namespace outerloop::interp {

bool differs(const ChangedRows& copy, std::span<const float> rows, size_t row_inputs) {
  for (size_t row = 0; row < copy.donors.size(); ++row) {
    const auto own = rows.subspan(row * row_inputs, row_inputs);
    const auto donor = copy.source.subspan(copy.donors[row] * row_inputs, row_inputs);
    for (const uint32_t input : copy.inputs.of(row)) {
      if (std::bit_cast<uint32_t>(own[input]) != std::bit_cast<uint32_t>(donor[input])) return true;
    }
  }
  return false;
}

void write(const ChangedRows& copy, std::span<const float> rows, size_t row_inputs,
           std::span<float> result) {
  std::ranges::copy(rows, result.begin());
  for (size_t row = 0; row < copy.donors.size(); ++row) {
    const auto changed = result.subspan(row * row_inputs, row_inputs);
    const auto donor = copy.source.subspan(copy.donors[row] * row_inputs, row_inputs);
    for (const uint32_t input : copy.inputs.of(row)) changed[input] = donor[input];
  }
}

}  // namespace outerloop::interp
