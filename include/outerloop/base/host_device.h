#pragma once
// Functions that the host and devices both compile: OL_BOTH. They include nothing of the standard
// library, and take IEEE operations that C++ has no operator for from namespace ol, which on a
// device is that of src/exec/cuda/device/arithmetic.h. Products and sums are not contracted.

#ifdef OL_DEVICE
#define OL_BOTH OL_DEVICE
#else

#include <bit>
#include <cmath>
#include <cstdint>

#define OL_BOTH [[gnu::always_inline]] inline

namespace ol {

OL_BOTH double bits_f64(uint64_t bits) {
  return std::bit_cast<double>(bits);
}
OL_BOTH uint64_t bits_of(double x) {
  return std::bit_cast<uint64_t>(x);
}
OL_BOTH float bits_f32(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
OL_BOTH uint32_t bits_of(float x) {
  return std::bit_cast<uint32_t>(x);
}
OL_BOTH float fma(float a, float b, float c) {
  return std::fma(a, b, c);
}
OL_BOTH double abs(double a) {
  return std::abs(a);
}
OL_BOTH double sqrt(double a) {
  return std::sqrt(a);
}

}  // namespace ol
#endif

namespace outerloop {

using Int64 = long;  // int64_t, by a name that device code has too
static_assert(sizeof(Int64) == 8);

}  // namespace outerloop
