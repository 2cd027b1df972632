// The plain ordered loop: what every generated loop must equal bit for bit.

#include <algorithm>
#include <limits>

#include "exec/cpu/loop_nest.h"
#include "outerloop/tensor/ordered.h"

namespace outerloop::exec {
namespace {

template <class T>
class OracleLoop {
 public:
  OracleLoop(const LoopNest& nest, void* const* operands) : nest_(nest) {
    for (size_t i = 0; i < nest.operands.size(); ++i) {
      pointers_.push_back(static_cast<char*>(operands[i]));
    }
    ways_ = nest.reduction == Reduction::rows ? kRowWays : kContiguousWays;
    inputs_.resize(nest.input_count());
    outputs_.resize(nest.outputs.size());
    registers_.resize(nest.body.instructions.size());
  }

  void run() {
    if (std::ranges::count(nest_.outer, 0) > 0) return;
    std::vector<int64_t> index(nest_.outer.size(), 0);
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
    const size_t columns = per_column ? static_cast<size_t>(nest_.columns) : 1;
    sums_.assign(outputs_.size(), {});
    for (size_t k = 0; k < outputs_.size(); ++k) {
      if (nest_.outputs[k] == LoopOutputKind::store) continue;
      const T start = is_maximum(nest_.outputs[k]) ? -std::numeric_limits<T>::infinity() : T{0};
      sums_[k].assign(static_cast<size_t>(ways_) * columns, start);
    }
    for (int64_t row = 0; row < nest_.rows; ++row) {
      for (int64_t column = 0; column < nest_.columns; ++column) {
        const size_t way = static_cast<size_t>((per_column ? row : column) % ways_);
        element(row, column, per_column ? way * columns + static_cast<size_t>(column) : way);
      }
    }
    for (size_t k = 0; k < outputs_.size(); ++k) {
      if (nest_.outputs[k] == LoopOutputKind::store) continue;
      for (size_t span = sums_[k].size() / 2; span >= columns && span > 0; span /= 2) {
        for (size_t i = 0; i < span; ++i) combine(k, i, sums_[k][i + span]);
      }
      for (size_t c = 0; c < columns; ++c) {
        *at(nest_.input_count() + k, 0, static_cast<int64_t>(c)) = sums_[k][c];
      }
    }
  }

  void combine(size_t k, size_t place, T value) {
    T& sum = sums_[k][place];
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
  std::vector<char*> pointers_;
  size_t ways_ = 1;
  std::vector<T> inputs_, outputs_, registers_;
  std::vector<std::vector<T>> sums_;  // per output: (way, column)
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
