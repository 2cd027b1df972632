#pragma once
// Runs a loop spec by its definition and by a kernel, and compares all memory around the operands.

#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "exec/cpu/kernel.h"
#include "outerloop/tensor/ordered.h"

namespace outerloop::exec::testing {

// Bits, but for NaN: which NaN comes out of an operation on NaNs is not defined.
template <class T>
bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0 || (std::isnan(a) && std::isnan(b));
}

// Strides of elements that lie side by side, the last axis first.
inline LoopStrides dense(const std::vector<int64_t>& extents) {
  LoopStrides strides{};
  int64_t stride = 1;
  for (size_t axis = extents.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= extents[axis];
  }
  return strides;
}

// The memory of one operand: its elements lie between sentinels.
template <class T>
struct Buffer {
  static constexpr int64_t kSentinels = 40;
  std::vector<T> elements;
  int64_t base = 0;

  explicit Buffer(std::span<const int64_t> extents, const LoopStrides& strides, int64_t shift) {
    int64_t low = 0, high = 0;
    for (size_t axis = 0; axis < extents.size(); ++axis) {
      if (extents[axis] == 0) continue;
      (strides[axis] < 0 ? low : high) += strides[axis] * (extents[axis] - 1);
    }
    base = kSentinels + shift - low;
    elements.assign(static_cast<size_t>(base + high + 1 + kSentinels), T(-777));
  }
  T* data() { return elements.data() + base; }
};

// The definition, word by word: for each index the body, then stores and ordered reductions.
template <class T>
class Definition {
 public:
  Definition(const LoopSpec& spec, std::vector<T*> operands)
      : spec_(spec), operands_(std::move(operands)) {}

  void run() {
    const size_t rank = spec_.extents.size();
    reduced_axis_ = rank;
    for (const LoopOutput& output : spec_.outputs) {
      if (output.kind == LoopOutputKind::sum_contiguous ||
          output.kind == LoopOutputKind::max_contiguous) {
        reduced_axis_ = rank - 1;
        ways_ = kContiguousWays;
      } else if (output.kind != LoopOutputKind::store) {
        reduced_axis_ = rank - 2;
        ways_ = kRowWays;
      }
    }
    std::vector<int64_t> index(rank, 0);
    visit(index, 0);
  }

 private:
  T* at(size_t operand, const LoopStrides& strides, const std::vector<int64_t>& index) {
    int64_t offset = 0;
    for (size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] * strides[axis];
    return operands_[operand] + offset;
  }

  // Indices in order, but the reduced axis innermost.
  void visit(std::vector<int64_t>& index, size_t axis) {
    if (axis == index.size()) return reduce(index);
    if (axis == reduced_axis_) return visit(index, axis + 1);
    for (int64_t i = 0; i < spec_.extents[axis]; ++i) {
      index[axis] = i;
      visit(index, axis + 1);
    }
    index[axis] = 0;
  }

  void reduce(std::vector<int64_t>& index) {
    const int64_t count = reduced_axis_ < index.size() ? spec_.extents[reduced_axis_] : 1;
    std::vector<std::vector<T>> sums;
    for (const LoopOutput& output : spec_.outputs) {
      sums.emplace_back(static_cast<size_t>(ways_), is_max(output.kind) ? T(-INFINITY) : T(0));
    }
    for (int64_t i = 0; i < count; ++i) {
      if (reduced_axis_ < index.size()) index[reduced_axis_] = i;
      std::vector<T> inputs, outputs(spec_.outputs.size());
      std::vector<T> registers(spec_.body.instructions.size());
      for (size_t k = 0; k < spec_.inputs.size(); ++k) {
        inputs.push_back(*at(k, spec_.inputs[k], index));
      }
      evaluate<T>(spec_.body, inputs, outputs, registers);
      for (size_t k = 0; k < outputs.size(); ++k) {
        const LoopOutput& output = spec_.outputs[k];
        T& sum = sums[k][static_cast<size_t>(i % ways_)];
        if (output.kind == LoopOutputKind::store) {
          *at(spec_.inputs.size() + k, output.strides, index) = outputs[k];
        } else {
          sum = combine(output.kind, sum, outputs[k]);
        }
      }
    }
    if (reduced_axis_ < index.size()) index[reduced_axis_] = 0;
    for (size_t k = 0; k < sums.size(); ++k) {
      const LoopOutput& output = spec_.outputs[k];
      if (output.kind == LoopOutputKind::store) continue;
      for (size_t half = sums[k].size() / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; ++i) {
          sums[k][i] = combine(output.kind, sums[k][i], sums[k][i + half]);
        }
      }
      *at(spec_.inputs.size() + k, output.strides, index) = sums[k][0];
    }
  }

  static bool is_max(LoopOutputKind kind) {
    return kind == LoopOutputKind::max_contiguous || kind == LoopOutputKind::max_rows;
  }
  static T combine(LoopOutputKind kind, T sum, T value) {
    return is_max(kind) ? (sum > value ? sum : value) : sum + value;
  }

  const LoopSpec& spec_;
  std::vector<T*> operands_;
  size_t reduced_axis_ = 0;
  int64_t ways_ = 1;
};

// Where the operands of a check come from: fills the input number `operand`.
template <class T>
using Fill = void (*)(std::vector<T>& elements, size_t operand, std::mt19937& random);

// The number of elements that differ between the kernel and the definition. `aliases[k]`: the
// input whose memory output k is, or -1.
template <class T>
int64_t count_differences(const LoopSpec& spec, const Kernel& kernel, Fill<T> fill,
                          std::span<const int> aliases, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Buffer<T>> buffers;
  for (const LoopStrides& strides : spec.inputs) {
    buffers.emplace_back(spec.extents, strides, static_cast<int64_t>(random() % 16));
    fill(buffers.back().elements, buffers.size() - 1, random);
  }
  for (const LoopOutput& output : spec.outputs) {
    buffers.emplace_back(spec.extents, output.strides, static_cast<int64_t>(random() % 16));
  }
  std::vector<Buffer<T>> expected = buffers;
  const auto pointers = [&](std::vector<Buffer<T>>& of) {
    std::vector<T*> result;
    for (Buffer<T>& buffer : of) result.push_back(buffer.data());
    for (size_t k = 0; k < aliases.size(); ++k) {
      if (aliases[k] >= 0) {
        result[spec.inputs.size() + k] = of[static_cast<size_t>(aliases[k])].data();
      }
    }
    return result;
  };
  // The definition reads inputs that no output overwrites.
  std::vector<Buffer<T>> untouched = buffers;
  std::vector<T*> separate = pointers(untouched);
  for (size_t k = 0; k < spec.outputs.size(); ++k) {
    separate[spec.inputs.size() + k] = pointers(expected)[spec.inputs.size() + k];
  }
  Definition<T>(spec, separate).run();
  const std::vector<T*> actual = pointers(buffers);
  std::vector<void*> operands(actual.begin(), actual.end());
  kernel(operands.data());
  int64_t differences = 0;
  for (size_t b = 0; b < buffers.size(); ++b) {
    for (size_t i = 0; i < buffers[b].elements.size(); ++i) {
      differences += !same_bits(buffers[b].elements[i], expected[b].elements[i]);
    }
  }
  return differences;
}

}  // namespace outerloop::exec::testing
