#pragma once
// The extents of a tensor, outermost first; rank 0 is a scalar. A small value type.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace outerloop {

class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> extents)
      : Shape(std::span<const int64_t>(extents.begin(), extents.size())) {}
  // Throws BadInput on a negative extent or more than kMaxRank axes.
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return extents_[static_cast<size_t>(axis)]; }
  int64_t& operator[](int axis) { return extents_[static_cast<size_t>(axis)]; }
  int64_t elements() const;
  std::span<const int64_t> extents() const { return {extents_.data(), static_cast<size_t>(rank_)}; }
  auto begin() const { return extents_.begin(); }
  auto end() const { return extents_.begin() + rank_; }

  void append(int64_t extent);
  bool operator==(const Shape& other) const;

 private:
  std::array<int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

// "(2, 3)"; a scalar is "()".
std::string to_string(const Shape& shape);

// Row-major strides in elements: the last axis has stride 1.
std::array<int64_t, Shape::kMaxRank> row_major_strides(const Shape& shape);

}  // namespace outerloop
