#include "outerloop/tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "outerloop/base/error.h"
#include "outerloop/base/memory.h"

namespace outerloop {
namespace {

// Calls visitor with a null pointer of the element type.
template <class Visitor>
decltype(auto) visit_dtype(DType dtype, Visitor&& visitor) {
  switch (dtype) {
    case DType::f32:
      return visitor(static_cast<float*>(nullptr));
    case DType::f64:
      return visitor(static_cast<double*>(nullptr));
    case DType::i32:
      break;
  }
  return visitor(static_cast<int32_t*>(nullptr));
}

}  // namespace

Tensor::Tensor(DType dtype, const Shape& shape) : dtype_(dtype), shape_(shape) {
  const size_t rounded = (std::max<size_t>(bytes(), 1) + kAlignment - 1) / kAlignment * kAlignment;
  auto* memory = static_cast<std::byte*>(
      has_memory_for(rounded) ? std::aligned_alloc(kAlignment, rounded) : nullptr);
  if (memory == nullptr) {
    throw SystemFailure(fmt::format("out of memory: a tensor {} of {} needs {} bytes",
                                    to_string(shape), name_of(dtype), rounded));
  }
  std::memset(memory, 0, rounded);
  data_ = std::shared_ptr<std::byte>(memory, [](std::byte* p) { std::free(p); });
}

Tensor Tensor::view(DType dtype, const Shape& shape, std::byte* data) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = shape;
  tensor.data_ = std::shared_ptr<std::byte>(std::shared_ptr<std::byte>(), data);
  return tensor;
}

template <class T>
Tensor Tensor::from(const Shape& shape, std::span<const T> values) {
  if (static_cast<int64_t>(values.size()) != shape.elements()) {
    throw BadInput(fmt::format("a tensor of shape {} needs {} values, got {}", to_string(shape),
                               shape.elements(), values.size()));
  }
  Tensor result(dtype_of<T>, shape);
  std::copy(values.begin(), values.end(), result.as<T>().begin());
  return result;
}

template <class T>
std::span<T> Tensor::as() {
  OL_ASSERT(dtype_of<T> == dtype_, fmt::format("the tensor holds {}", name_of(dtype_)));
  return {reinterpret_cast<T*>(data_.get()), static_cast<size_t>(elements())};
}

template <class T>
std::span<const T> Tensor::as() const {
  OL_ASSERT(dtype_of<T> == dtype_, fmt::format("the tensor holds {}", name_of(dtype_)));
  return {reinterpret_cast<const T*>(data_.get()), static_cast<size_t>(elements())};
}

Tensor Tensor::clone() const {
  Tensor copy(dtype_, shape_);
  std::memcpy(copy.data(), data(), bytes());
  return copy;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  OL_ASSERT(shape.elements() == elements(),
            fmt::format("{} to {}", to_string(shape_), to_string(shape)));
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

Tensor Tensor::cast(DType dtype) const {
  Tensor result(dtype, shape_);
  visit_dtype(dtype_, [&]<class From>(From*) {
    visit_dtype(dtype, [&]<class To>(To*) {
      std::ranges::transform(as<From>(), result.as<To>().begin(),
                             [](From value) { return static_cast<To>(value); });
    });
  });
  return result;
}

std::vector<double> Tensor::to_doubles() const {
  const Tensor doubles = cast(DType::f64);
  const auto values = doubles.as<double>();
  return {values.begin(), values.end()};
}

template Tensor Tensor::from<float>(const Shape&, std::span<const float>);
template Tensor Tensor::from<double>(const Shape&, std::span<const double>);
template Tensor Tensor::from<int32_t>(const Shape&, std::span<const int32_t>);
template std::span<float> Tensor::as<float>();
template std::span<double> Tensor::as<double>();
template std::span<int32_t> Tensor::as<int32_t>();
template std::span<const float> Tensor::as<float>() const;
template std::span<const double> Tensor::as<double>() const;
template std::span<const int32_t> Tensor::as<int32_t>() const;

}  // namespace outerloop
