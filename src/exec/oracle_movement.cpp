// Every movement is a strided copy: element `index` of a box goes from one buffer to another.

#include <array>
#include <cstring>

#include "exec/oracle_kernels.h"

namespace outerloop::exec::oracle {
namespace {

using Strides = std::array<int64_t, Shape::kMaxRank>;

struct Side {
  int64_t offset = 0;  // in elements
  Strides strides{};
};

Side whole(const Tensor& tensor) {
  return {0, row_major_strides(tensor.shape())};
}

void copy(const Shape& box, const Tensor& from, const Side& source, Tensor& to,
          const Side& target) {
  const size_t size = size_of(to.dtype());
  const Strides divisors = row_major_strides(box);
  for (int64_t i = 0; i < box.elements(); ++i) {
    int64_t left = source.offset, right = target.offset;
    for (int axis = 0; axis < box.rank(); ++axis) {
      const auto a = static_cast<size_t>(axis);
      const int64_t place = i / divisors[a] % box[axis];
      left += place * source.strides[a];
      right += place * target.strides[a];
    }
    std::memcpy(to.data() + static_cast<size_t>(right) * size,
                from.data() + static_cast<size_t>(left) * size, size);
  }
}

// Elements starts, starts + steps, … of each axis.
Side stepped(const Tensor& tensor, const std::vector<int64_t>& starts,
             const std::vector<int64_t>& steps) {
  Side side = whole(tensor);
  for (size_t axis = 0; axis < starts.size(); ++axis) {
    side.offset += starts[axis] * side.strides[axis];
    side.strides[axis] *= steps[axis];
  }
  return side;
}

}  // namespace

void broadcast(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const auto& axes = attributes.integers("axes");
  const Side own = whole(inputs[0]);
  Side source;  // repeated axes have stride 0
  for (size_t i = 0; i < axes.size(); ++i) {
    source.strides[static_cast<size_t>(axes[i])] = own.strides[i];
  }
  copy(output.shape(), inputs[0], source, output, whole(output));
}

void reshape(const Attributes&, Tensors inputs, Tensor& output) {
  std::memcpy(output.data(), inputs[0].data(), output.bytes());
}

void transpose(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const auto& permutation = attributes.integers("permutation");
  const Side own = whole(inputs[0]);
  Side source;
  for (size_t i = 0; i < permutation.size(); ++i) {
    source.strides[i] = own.strides[static_cast<size_t>(permutation[i])];
  }
  copy(output.shape(), inputs[0], source, output, whole(output));
}

void slice(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const Side source =
      stepped(inputs[0], attributes.integers("starts"), attributes.integers("strides"));
  copy(output.shape(), inputs[0], source, output, whole(output));
}

void pad(const Attributes& attributes, Tensors inputs, Tensor& output) {
  std::vector<int64_t> steps = attributes.integers("interior");
  for (int64_t& step : steps) ++step;
  const Side target = stepped(output, attributes.integers("low"), steps);
  copy(inputs[0].shape(), inputs[0], whole(inputs[0]), output, target);
}

void concat(const Attributes& attributes, Tensors inputs, Tensor& output) {
  const auto axis = static_cast<size_t>(attributes.integer("axis"));
  Side target = whole(output);
  for (const Tensor& input : inputs) {
    copy(input.shape(), input, whole(input), output, target);
    target.offset += input.shape()[static_cast<int>(axis)] * target.strides[axis];
  }
}

}  // namespace outerloop::exec::oracle
