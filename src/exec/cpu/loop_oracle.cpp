// The plain ordered loop: what every generated loop must equal bit for bit.

#include <algorithm>
#include <limits>

#include "exec/cpu/loop.h"
#include "exec/cpu/thread_scratch.h"
#include "outerloop/tensor/ordered.h"

namespace outerloop::exec {
namespace {

template <class T>
class OracleLoop {
 public:
  OracleLoop(const LoopNest& nest, void* const* operands)
      : nest_(nest), pointers_(thread_scratch<char*>(nest.operands.size())) {
    for (size_t i = 0; i < pointers_.size(); ++i) pointers_[i] = static_cast<char*>(operands[i]);
    ways_ = nest.reduction == Reduction::rows ? kRowWays : kContiguousWays;
    columns_ = nest.reduction == Reduction::rows ? static_cast<size_t>(nest.columns) : 1;
    const size_t inputs = nest.input_count();
    const size_t outputs = nest.outputs.size();
    const size_t registers = nest.body.instructions.size();
    const size_t sums = nest.reduction == Reduction::none ? 0 : outputs * ways_ * columns_;
    std::span<T> values = thread_scratch<T>(inputs + outputs + registers + sums);
    const auto take = [&](size_t count) {
      const std::span<T> taken = values.first(count);
      values = values.subspan(count);
      return taken;
    };
    inputs_ = take(inputs);
    outputs_ = take(outputs);
    registers_ = take(registers);
    sums_ = take(sums);
  }

  void run() {
    if (std::ranges::count(nest_.outer, 0) > 0) return;
    const std::span<int64_t> index = thread_scratch<int64_t>(nest_.outer.size());
    std::ranges::fill(index, 0);
    while (true) {
      run_inner();
      size_t axis = index.size();
      while (axis > 0 && ++index[axis - 1] == nest_.outer[axis - 1]) {
        advance(axis - 1, -nest_.outer[axis - 1] + 1);
        index[--axis] = 0;
      }
      if (axis == 0) return;
      advance(axis - 1, 1);
    }
  }

 private:
  void advance(size_t axis, int64_t steps) {
    for (size_t i = 0; i < pointers_.size(); ++i) {
      pointers_[i] += nest_.operands[i].outer[axis] * steps;
    }
  }

  T* at(size_t operand, int64_t row, int64_t column) const {
    const LoopNest::Operand& strides = nest_.operands[operand];
    return reinterpret_cast<T*>(pointers_[operand] + row * strides.row + column * strides.column);
  }

  // Rows, columns and accumulators of one outer index.
  void run_inner() {
    const bool per_column = nest_.reduction == Reduction::rows;
    for (size_t k = 0; k < outputs_.size(); ++k) {
      if (nest_.outputs[k] == LoopOutputKind::store) continue;
      const T start = is_maximum(nest_.outputs[k]) ? -std::numeric_limits<T>::infinity() : T{0};
      std::ranges::fill(sums_of(k), start);
    }
    for (int64_t row = 0; row < nest_.rows; ++row) {
      for (int64_t column = 0; column < nest_.columns; ++column) {
        const size_t way = static_cast<size_t>(per_column ? row : column) % ways_;
        element(row, column, per_column ? way * columns_ + static_cast<size_t>(column) : way);
      }
    }
    for (size_t k = 0; k < outputs_.size(); ++k) {
      if (nest_.outputs[k] == LoopOutputKind::store) continue;
      const std::span<T> sums = sums_of(k);
      for (size_t span = sums.size() / 2; span >= columns_ && span > 0; span /= 2) {
        for (size_t i = 0; i < span; ++i) combine(k, i, sums[i + span]);
      }
      for (size_t c = 0; c < columns_; ++c) {
        *at(nest_.input_count() + k, 0, static_cast<int64_t>(c)) = sums[c];
      }
    }
  }

  // Of output k: (way, column).
  std::span<T> sums_of(size_t k) const {
    return sums_.subspan(k * ways_ * columns_, ways_ * columns_);
  }

  void combine(size_t k, size_t place, T value) {
    T& sum = sums_of(k)[place];
    sum = is_maximum(nest_.outputs[k]) ? (sum > value ? sum : value) : sum + value;
  }

  void element(int64_t row, int64_t column, size_t place) {
    for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i] = *at(i, row, column);
    evaluate<T>(nest_.body, inputs_, outputs_, registers_);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      if (nest_.outputs[k] == LoopOutputKind::store) {
        *at(inputs_.size() + k, row, column) = outputs_[k];
      } else {
        combine(k, place, outputs_[k]);
      }
    }
  }

  const LoopNest& nest_;
  std::span<char*> pointers_;
  size_t ways_ = 1;
  size_t columns_ = 1;  // that have accumulators of their own
  std::span<T> inputs_, outputs_, registers_, sums_;
};

template <class T>
void run_oracle(const void* state, void* const* operands) {
  OracleLoop<T>(*static_cast<const LoopNest*>(state), operands).run();
}

}  // namespace

Kernel make_oracle_loop(const LoopSpec& spec) {
  const auto run = spec.dtype == DType::f32 ? run_oracle<float> : run_oracle<double>;
  return Kernel(run, std::make_shared<const LoopNest>(make_nest(spec)));
}

}  // namespace outerloop::exec
