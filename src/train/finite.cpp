#include "train/finite.h"

#include <cstdint>

#include "outerloop/base/vector_clones.h"

namespace outerloop::train {
namespace {

// Infinite or NaN: all exponent bits are set.
OUTERLOOP_VECTOR_CLONES bool any_bad(const float* values, int64_t count) {
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    __builtin_memcpy(&bits, values + i, sizeof(bits));
    bad |= static_cast<uint32_t>((bits & 0x7F800000u) == 0x7F800000u);
  }
  return bad != 0;
}

}  // namespace

bool all_finite(std::span<const float> values) {
  return !any_bad(values.data(), static_cast<int64_t>(values.size()));
}

}  // namespace outerloop::train
