#pragma once
// One IEEE operation per function, rounded to nearest, never contracted by the compiler: the
// operations of outerloop/ir/scalar.h. Device code; compiled by nvcc and NVRTC, and for the host
// with stand-ins for what CUDA declares by itself.

#define OL_DEVICE __device__ __forceinline__
// Shared memory of the size that the launch states.
#ifndef OL_DYNAMIC_SHARED
#define OL_DYNAMIC_SHARED(name) extern __shared__ __align__(64) char name[]
#endif

namespace ol {

OL_DEVICE float bits_f32(unsigned bits) {
  return __int_as_float(static_cast<int>(bits));
}
OL_DEVICE double bits_f64(unsigned long long bits) {
  return __longlong_as_double(static_cast<long long>(bits));
}
OL_DEVICE unsigned bits_of(float x) {
  return static_cast<unsigned>(__float_as_int(x));
}
OL_DEVICE unsigned long long bits_of(double x) {
  return static_cast<unsigned long long>(__double_as_longlong(x));
}

OL_DEVICE float add(float a, float b) {
  return __fadd_rn(a, b);
}
OL_DEVICE double add(double a, double b) {
  return __dadd_rn(a, b);
}
OL_DEVICE float sub(float a, float b) {
  return __fsub_rn(a, b);
}
OL_DEVICE double sub(double a, double b) {
  return __dsub_rn(a, b);
}
OL_DEVICE float mul(float a, float b) {
  return __fmul_rn(a, b);
}
OL_DEVICE double mul(double a, double b) {
  return __dmul_rn(a, b);
}
OL_DEVICE float div(float a, float b) {
  return __fdiv_rn(a, b);
}
OL_DEVICE double div(double a, double b) {
  return __ddiv_rn(a, b);
}
OL_DEVICE float fma(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
OL_DEVICE double fma(double a, double b, double c) {
  return __fma_rn(a, b, c);
}
OL_DEVICE float sqrt(float a) {
  return __fsqrt_rn(a);
}
OL_DEVICE double sqrt(double a) {
  return __dsqrt_rn(a);
}

OL_DEVICE float neg(float a) {
  return bits_f32(bits_of(a) ^ 0x80000000U);
}
OL_DEVICE double neg(double a) {
  return bits_f64(bits_of(a) ^ 0x8000000000000000ULL);
}
OL_DEVICE float abs(float a) {
  return bits_f32(bits_of(a) & 0x7FFFFFFFU);
}
OL_DEVICE double abs(double a) {
  return bits_f64(bits_of(a) & 0x7FFFFFFFFFFFFFFFULL);
}
OL_DEVICE float round(float a) {
  return rintf(a);
}
OL_DEVICE double round(double a) {
  return rint(a);
}

template <class T>
OL_DEVICE T min(T a, T b) {
  return a < b ? a : b;
}
template <class T>
OL_DEVICE T max(T a, T b) {
  return a > b ? a : b;
}
template <class T>
OL_DEVICE T less(T a, T b) {
  return a < b ? T(1) : T(0);
}
template <class T>
OL_DEVICE T less_equal(T a, T b) {
  return a <= b ? T(1) : T(0);
}
template <class T>
OL_DEVICE T equal(T a, T b) {
  return a == b ? T(1) : T(0);
}
template <class T>
OL_DEVICE T select(T mask, T if_true, T if_false) {
  return mask != T(0) ? if_true : if_false;
}

OL_DEVICE float power_of_two(float, int n) {
  return bits_f32(static_cast<unsigned>(n + 127) << 23);
}
OL_DEVICE double power_of_two(double, int n) {
  return bits_f64(static_cast<unsigned long long>(n + 1023) << 52);
}
// In two exact steps: 2^n itself may lie outside of the normal numbers, though the result does not.
template <class T>
OL_DEVICE T scale2(T a, T n) {
  const int whole = static_cast<int>(n);
  const int half = whole >> 1;
  return mul(mul(a, power_of_two(a, half)), power_of_two(a, whole - half));
}
OL_DEVICE float exponent(float a) {
  return static_cast<float>(static_cast<int>(bits_of(a) >> 23 & 0xFFU) - 127);
}
OL_DEVICE double exponent(double a) {
  return static_cast<double>(static_cast<int>(bits_of(a) >> 52 & 0x7FFU) - 1023);
}
OL_DEVICE float mantissa(float a) {
  return bits_f32((bits_of(a) & 0x807FFFFFU) | 0x3F800000U);
}
OL_DEVICE double mantissa(double a) {
  return bits_f64((bits_of(a) & 0x800FFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL);
}

OL_DEVICE float minus_infinity(float) {
  return bits_f32(0xFF800000U);
}
OL_DEVICE double minus_infinity(double) {
  return bits_f64(0xFFF0000000000000ULL);
}

}  // namespace ol
