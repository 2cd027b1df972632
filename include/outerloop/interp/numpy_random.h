#pragma once
// The random numbers of numpy's RandomState, bit for bit.

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace outerloop::interp {

// RandomState(seed): the 32-bit Mersenne twister (Matsumoto and Nishimura 1998), bounded numbers by
// masked rejection.
class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed) : generator_(seed) {}

  uint32_t next() { return static_cast<uint32_t>(generator_()); }
  // 0 … largest. Draws nothing when largest is 0. randint(n) is up_to(n - 1).
  uint32_t up_to(uint32_t largest);

  // shuffle(items): Fisher-Yates from the back.
  template <class T>
  void shuffle(std::span<T> items) {
    for (size_t left = items.size(); left > 1; --left) {
      std::swap(items[left - 1], items[up_to(static_cast<uint32_t>(left - 1))]);
    }
  }
  std::vector<uint32_t> permutation(uint32_t n);
  // scikit-learn's sample_without_replacement(n, count): the sampler depends on count / n. Order as
  // drawn. Throws BadInput unless count <= n.
  std::vector<uint32_t> sample(uint32_t n, uint32_t count);

 private:
  std::mt19937 generator_;
};

}  // namespace outerloop::interp
