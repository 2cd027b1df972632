// Interleave-and-tree reductions (outerloop/tensor/ordered.h).

#include <algorithm>
#include <limits>
#include <vector>

#include "exec/oracle_kernels.h"
#include "outerloop/ops/reduce.h"
#include "outerloop/tensor/ordered.h"

namespace outerloop::exec::oracle {
namespace {

struct Add {
  template <class T>
  static constexpr T start = T{0};
  template <class T>
  static T combine(T accumulator, T x) {
    return accumulator + x;
  }
};

struct Max {
  template <class T>
  static constexpr T start = -std::numeric_limits<T>::infinity();
  template <class T>
  static T combine(T accumulator, T x) {
    return accumulator > x ? accumulator : x;
  }
};

// Element i goes to accumulator i % ways; then a halving tree.
template <class Combine, class T>
T reduce_one(const T* first, int64_t count, int64_t stride, int64_t ways) {
  std::vector<T> accumulators(static_cast<size_t>(ways), Combine::template start<T>);
  for (int64_t i = 0; i < count; ++i) {
    T& accumulator = accumulators[static_cast<size_t>(i % ways)];
    accumulator = Combine::combine(accumulator, first[i * stride]);
  }
  for (int64_t half = ways / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) {
      const auto place = static_cast<size_t>(i);
      accumulators[place] =
          Combine::combine(accumulators[place], accumulators[static_cast<size_t>(i + half)]);
    }
  }
  return accumulators[0];
}

template <class Combine, class T>
std::vector<T> apply(const ReduceStep& step, const std::vector<T>& input) {
  std::vector<T> result(static_cast<size_t>(step.outer * step.inner));
  const int64_t ways = step.contiguous() ? kContiguousWays : kRowWays;
  for (int64_t o = 0; o < step.outer; ++o) {
    for (int64_t i = 0; i < step.inner; ++i) {
      const T* first = input.data() + o * step.reduced * step.inner + i;
      result[static_cast<size_t>(o * step.inner + i)] =
          reduce_one<Combine>(first, step.reduced, step.inner, ways);
    }
  }
  return result;
}

template <class Combine>
void reduce(const Attributes& attributes, const Tensor& input, Tensor& output) {
  by_floating_type(output.dtype(), [&]<class T>(T) {
    const auto given = input.as<T>();
    std::vector<T> values(given.begin(), given.end());
    for (const ReduceStep& step : reduce_steps(input.shape(), attributes.integers("axes"))) {
      values = apply<Combine>(step, values);
    }
    std::ranges::copy(values, output.as<T>().begin());
  });
}

}  // namespace

void sum(const Attributes& attributes, Tensors inputs, Tensor& output) {
  reduce<Add>(attributes, inputs[0], output);
}

void reduce_max(const Attributes& attributes, Tensors inputs, Tensor& output) {
  reduce<Max>(attributes, inputs[0], output);
}

}  // namespace outerloop::exec::oracle
