#pragma once
// A contiguous row-major host tensor. Copying a Tensor shares its buffer; clone() copies the data.

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "outerloop/tensor/dtype.h"
#include "outerloop/tensor/shape.h"

namespace outerloop {

class Tensor {
 public:
  static constexpr size_t kAlignment = 64;  // bytes: one cache line, one widest vector

  Tensor() = default;
  // Zero-filled. Throws SystemFailure when memory is short.
  Tensor(DType dtype, const Shape& shape);

  // Memory that somebody else owns and keeps alive. Does not allocate.
  static Tensor view(DType dtype, const Shape& shape, std::byte* data);
  template <class T>
  static Tensor from(const Shape& shape, std::span<const T> values);
  template <class T>
  static Tensor from(const Shape& shape, std::initializer_list<T> values) {
    return from<T>(shape, std::span<const T>(values.begin(), values.size()));
  }
  template <class T>
  static Tensor scalar(T value) {
    return from<T>(Shape{}, {value});
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return shape_.elements(); }
  size_t bytes() const { return static_cast<size_t>(elements()) * size_of(dtype_); }
  bool empty() const { return data_ == nullptr; }

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }

  // Typed view; throws InternalError when T is not the element type.
  template <class T>
  std::span<T> as();
  template <class T>
  std::span<const T> as() const;

  Tensor clone() const;
  // Same buffer, other shape with as many elements.
  Tensor reshaped(const Shape& shape) const;
  // Converted copy, rounding to nearest (float to int truncates).
  Tensor cast(DType dtype) const;
  std::vector<double> to_doubles() const;

 private:
  DType dtype_ = DType::f32;
  Shape shape_;
  std::shared_ptr<std::byte> data_;
};

}  // namespace outerloop
