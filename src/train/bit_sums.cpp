#include "train/bit_sums.h"

#include <algorithm>
#include <cstring>

#include "outerloop/base/error.h"
#include "outerloop/base/vector_clones.h"

namespace outerloop::train {
namespace {

using Words [[gnu::vector_size(64)]] = uint32_t;
using Signed [[gnu::vector_size(64)]] = int32_t;

constexpr int32_t kInfinity = 0x7F800000;

constexpr std::array<uint32_t, 16> multiples(uint32_t factor, uint32_t step, uint32_t start) {
  std::array<uint32_t, 16> result{};
  for (uint32_t lane = 0; lane < 16; ++lane) result[lane] = factor * (step * lane + start);
  return result;
}
constexpr std::array<uint32_t, 16> kOdd = multiples(0x9E3779B1u, 2, 1);
constexpr std::array<uint32_t, 16> kEven = multiples(0x85EBCA6Bu, 4, 2);

// Of every other 16 words of a part, so that two chains run side by side.
struct Chain {
  Words first{}, second{};
  Signed largest{};

  [[gnu::always_inline]] void take(const float* values) {
    Words words;
    std::memcpy(&words, values, sizeof(Words));
    first += words;
    second += first;
    const Signed size = reinterpret_cast<Signed>(words) & 0x7FFFFFFF;
    largest = size > largest ? size : largest;
  }
};

// Writes hash and largest magnitude, as bits: at least infinity's where an element is not finite.
OUTERLOOP_VECTOR_CLONES void add(const float* values, int64_t begin, const int64_t* ends,
                                 size_t count, LaneSums* parts, uint32_t* hash,
                                 int32_t* magnitude) {
  Words all_first{}, all_second{};
  Signed largest{};
  int64_t i = begin;
  for (size_t p = 0; p < count; ++p) {
    Chain even, odd;
    for (; i + 32 <= ends[p]; i += 32) {
      even.take(values + i);
      odd.take(values + i + 16);
    }
    for (; i < ends[p]; i += 16) even.take(values + i);
    const Words first = even.first + odd.first;
    const Words second = even.second + 3 * odd.second;
    all_first += first;
    all_second += second;
    largest = even.largest > largest ? even.largest : largest;
    largest = odd.largest > largest ? odd.largest : largest;
    Words part;
    std::memcpy(&part, parts[p].first.data(), sizeof(Words));
    part += first;
    std::memcpy(parts[p].first.data(), &part, sizeof(Words));
    std::memcpy(&part, parts[p].second.data(), sizeof(Words));
    part += second;
    std::memcpy(parts[p].second.data(), &part, sizeof(Words));
  }
  Words by_first, by_second;
  std::memcpy(&by_first, kOdd.data(), sizeof(Words));
  std::memcpy(&by_second, kEven.data(), sizeof(Words));
  const Words mixed = all_first * by_first + all_second * by_second;
  *hash = 0;
  *magnitude = 0;
  for (int lane = 0; lane < 16; ++lane) {
    *hash += mixed[lane];
    *magnitude = largest[lane] > *magnitude ? largest[lane] : *magnitude;
  }
}

OUTERLOOP_VECTOR_CLONES uint32_t mix(const LaneSums& sums) {
  uint32_t hash = 0;
  for (size_t lane = 0; lane < 16; ++lane) {
    hash += sums.first[lane] * kOdd[lane] + sums.second[lane] * kEven[lane];
  }
  return hash;
}

}  // namespace

LaneSums& LaneSums::operator+=(const LaneSums& other) {
  for (size_t lane = 0; lane < first.size(); ++lane) {
    first[lane] += other.first[lane];
    second[lane] += other.second[lane];
  }
  return *this;
}

void hash_each(std::span<const LaneSums> sums, std::span<uint32_t> hashes) {
  std::ranges::transform(sums, hashes.begin(), mix);
}

BitSum add_bit_sums(std::span<const float> values, int64_t first, std::span<const int64_t> ends,
                    std::span<LaneSums> parts) {
  OL_ASSERT(!ends.empty() && ends.back() <= static_cast<int64_t>(values.size()) &&
                parts.size() == ends.size(),
            "parts of another vector");
  uint32_t hash = 0;
  int32_t magnitude = 0;
  add(values.data(), first, ends.data(), ends.size(), parts.data(), &hash, &magnitude);
  return {.hash = hash, .finite = magnitude < kInfinity};
}

}  // namespace outerloop::train
