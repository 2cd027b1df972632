#pragma once
// Hashes of float32 vectors, cheap enough to take of every task's gradient.
//
// The words of a vector run in 16 lanes, word i in lane i mod 16. A lane keeps two sums modulo
// 2^32, as Fletcher's checksum does: of its words, and of the first sum after each word (after
// every other one, three times the sum of the words between). A hash is the sum over the lanes of
// first · odd + second · even. So one flipped bit always changes it, and the sums of several
// vectors add up in any order.

#include <array>
#include <cstdint>
#include <span>

namespace outerloop::train {

struct alignas(64) LaneSums {
  std::array<uint32_t, 16> first{};
  std::array<uint32_t, 16> second{};
  LaneSums& operator+=(const LaneSums& other);
};

void hash_each(std::span<const LaneSums> sums, std::span<uint32_t> hashes);

struct BitSum {
  uint32_t hash = 0;
  bool finite = false;  // no element is infinite or NaN
};
// Adds the sums of part p of `values`, the elements [ends[p - 1], ends[p]), to parts[p], and
// returns the hash of the sum over the parts. The first part begins at `first`. It and all ends are
// multiples of 16.
BitSum add_bit_sums(std::span<const float> values, int64_t first, std::span<const int64_t> ends,
                    std::span<LaneSums> parts);

}  // namespace outerloop::train
