#pragma once
// numpy's pairwise sum of contiguous numbers (umath/loops_utils: DOUBLE_pairwise_sum): the order of
// additions, and so the bits, of numpy.sum, numpy.mean and all that scikit-learn builds on them.

#include <cstddef>
#include <span>
#include <vector>

namespace outerloop {

template <class T>
T pairwise_sum(std::span<const T> x) {
  constexpr size_t kLanes = 8;
  constexpr size_t kBlock = 128;
  const size_t n = x.size();
  if (n > kBlock) {
    size_t half = n / 2;
    half -= half % kLanes;
    return pairwise_sum(x.first(half)) + pairwise_sum(x.subspan(half));
  }
  T total = 0;
  size_t i = 0;
  if (n >= kLanes) {
    T lane[kLanes];
    for (; i < kLanes; ++i) lane[i] = x[i];
    for (; i + kLanes <= n; i += kLanes) {
      for (size_t l = 0; l < kLanes; ++l) lane[l] += x[i + l];
    }
    total =
        ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
  }
  for (; i < n; ++i) total += x[i];
  return total;
}

template <class T>
T pairwise_sum(const std::vector<T>& x) {
  return pairwise_sum(std::span<const T>(x));
}

template <class T>
T mean_of(std::span<const T> x) {
  return pairwise_sum(x) / static_cast<T>(x.size());
}

template <class T>
T mean_of(const std::vector<T>& x) {
  return mean_of(std::span<const T>(x));
}

}  // namespace outerloop
