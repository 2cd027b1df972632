#pragma once
// Element types of tensors: float32 for work, float64 for proofs, int32 for indices.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outerloop {

enum class DType : uint8_t { f32, f64, i32 };

constexpr size_t size_of(DType dtype) {
  return dtype == DType::f64 ? 8 : 4;
}
constexpr bool is_floating(DType dtype) {
  return dtype != DType::i32;
}
constexpr std::string_view name_of(DType dtype) {
  return dtype == DType::f32 ? "f32" : dtype == DType::f64 ? "f64" : "i32";
}

template <class T>
inline constexpr DType dtype_of = DType{};
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;

}  // namespace outerloop
