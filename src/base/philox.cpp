#include "outerloop/base/philox.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/philox_kernels.h"
#include "outerloop/base/error.h"

namespace outerloop {
namespace {

struct Dealer : draws::Alone {
  Philox& random;
  uint32_t next() { return random.next(); }
};

template <class T>
void choose_into(Philox& random, uint32_t n, std::span<T> chosen) {
  const auto k = static_cast<uint32_t>(chosen.size());
  OL_ASSERT(k <= n, fmt::format("{} different numbers out of {}", k, n));
  Dealer dealer{{}, random};
  draws::choose(dealer, n, chosen.data(), k);
}

}  // namespace

static_assert(Philox::kGroupWords == kPhiloxGroupWords);

Philox::Philox(const StreamKey& key)
    : key_{static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)},
      counter_{0, key.slot, static_cast<uint32_t>(key.iteration),
               static_cast<uint32_t>(key.iteration >> 32) | static_cast<uint32_t>(key.purpose)
                                                                << 16} {
  OL_ASSERT(key.iteration >> 48 == 0, fmt::format("iteration {}", key.iteration));
}

void Philox::refill() {
  philox_kernel()(key_, counter_, 1, words_.data());
  counter_[0] += kPhiloxLanes;
  used_ = 0;
}

double Philox::uniform_double() {
  const uint32_t high = next();
  return draws::uniform_double(high, next());
}

uint32_t Philox::below(uint32_t bound) {
  OL_ASSERT(bound != 0, "a number below 0");
  return draws::below(*this, bound);
}

double Philox::normal() {
  return draws::normal(*this);
}

double Philox::truncated_normal(double limit) {
  for (;;) {
    const double value = normal();
    if (std::abs(value) <= limit) return value;
  }
}

void Philox::fill(std::span<uint32_t> words) {
  while (!words.empty()) {
    if (used_ == kGroupWords) {
      const size_t groups = words.size() / kGroupWords;
      if (groups > 0) {
        philox_kernel()(key_, counter_, groups, words.data());
        counter_[0] += static_cast<uint32_t>(groups * kPhiloxLanes);
        words = words.subspan(groups * kGroupWords);
        continue;
      }
      refill();
    }
    const size_t count = std::min(words.size(), kGroupWords - used_);
    std::copy_n(words_.begin() + static_cast<ptrdiff_t>(used_), count, words.begin());
    used_ += count;
    words = words.subspan(count);
  }
}

void Philox::fill(std::span<float> uniforms) {
  fill(uniforms, 0.0F, 1.0F);
}

void Philox::fill(std::span<float> uniforms, float low, float high) {
  while (!uniforms.empty()) {
    if (used_ == kGroupWords) refill();
    const size_t count = std::min(uniforms.size(), kGroupWords - used_);
    const uint32_t* words = words_.data() + used_;
    for (size_t i = 0; i < count; ++i) uniforms[i] = draws::uniform(words[i], low, high);
    used_ += count;
    uniforms = uniforms.subspan(count);
  }
}

void Philox::choose(uint32_t n, std::span<uint32_t> chosen) {
  choose_into(*this, n, chosen);
}

void Philox::choose(uint32_t n, std::span<int32_t> chosen) {
  choose_into(*this, n, chosen);
}

double normal_quantile(double p) {
  return draws::normal_quantile(p);
}

}  // namespace outerloop
