#include "outerloop/tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "outerloop/base/error.h"

namespace outerloop {

Shape::Shape(std::span<const int64_t> extents) {
  for (int64_t extent : extents) append(extent);
}

void Shape::append(int64_t extent) {
  if (extent < 0) throw BadInput(fmt::format("shape extent {} is negative", extent));
  if (rank_ == kMaxRank) throw BadInput(fmt::format("shape has more than {} axes", kMaxRank));
  extents_[static_cast<size_t>(rank_++)] = extent;
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (int64_t extent : *this) product *= extent;
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::string to_string(const Shape& shape) {
  return fmt::format("({})", fmt::join(shape.extents(), ", "));
}

std::array<int64_t, Shape::kMaxRank> row_major_strides(const Shape& shape) {
  std::array<int64_t, Shape::kMaxRank> strides{};
  int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return strides;
}

}  // namespace outerloop
