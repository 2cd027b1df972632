#include "outerloop/interp/numpy_random.h"

#include <fmt/format.h>

#include <bit>
#include <numeric>
#include <unordered_set>

#include "outerloop/base/error.h"

namespace outerloop::interp {

uint32_t NumpyRandom::up_to(uint32_t largest) {
  if (largest == 0) return 0;
  const uint32_t mask = ~uint32_t{0} >> std::countl_zero(largest);
  uint32_t value = next() & mask;
  while (value > largest) value = next() & mask;
  return value;
}

std::vector<uint32_t> NumpyRandom::permutation(uint32_t n) {
  std::vector<uint32_t> items(n);
  std::iota(items.begin(), items.end(), 0);
  shuffle(std::span(items));
  return items;
}

namespace {

// Few of many: draws again what was drawn before.
std::vector<uint32_t> track_selection(NumpyRandom& random, uint32_t n, uint32_t count) {
  std::vector<uint32_t> chosen;
  std::unordered_set<uint32_t> seen;
  while (chosen.size() < count) {
    const uint32_t item = random.up_to(n - 1);
    if (seen.insert(item).second) chosen.push_back(item);
  }
  return chosen;
}

// Nearly all: each later item may take the place of an earlier one.
std::vector<uint32_t> fill_reservoir(NumpyRandom& random, uint32_t n, uint32_t count) {
  std::vector<uint32_t> chosen(count);
  std::iota(chosen.begin(), chosen.end(), 0);
  for (uint32_t item = count; item < n; ++item) {
    const uint32_t place = random.up_to(item);
    if (place < count) chosen[place] = item;
  }
  return chosen;
}

}  // namespace

std::vector<uint32_t> NumpyRandom::sample(uint32_t n, uint32_t count) {
  if (count > n) throw BadInput(fmt::format("cannot draw {} different rows of {}", count, n));
  const double ratio = n == 0 ? 1.0 : static_cast<double>(count) / n;
  if (ratio > 0.01 && ratio < 0.99) {
    std::vector<uint32_t> chosen = permutation(n);
    chosen.resize(count);
    return chosen;
  }
  return ratio < 0.2 ? track_selection(*this, n, count) : fill_reservoir(*this, n, count);
}

}  // namespace outerloop::interp
