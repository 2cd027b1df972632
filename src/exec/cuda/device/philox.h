#pragma once
// Philox4x32-10 (outerloop/base/philox.h): the four words of one counter.

#include "exec/cuda/device/arithmetic.h"

namespace ol {

inline constexpr int kPhiloxLanes = 8;  // counters of a group
inline constexpr int kPhiloxWords = 4;

OL_DEVICE void philox(unsigned key0, unsigned key1, unsigned (&counter)[kPhiloxWords]) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned long long product0 = 0xD2511F53ULL * counter[0];
    const unsigned long long product1 = 0xCD9E8D57ULL * counter[2];
    const unsigned word0 = static_cast<unsigned>(product1 >> 32) ^ counter[1] ^ key0;
    const unsigned word2 = static_cast<unsigned>(product0 >> 32) ^ counter[3] ^ key1;
    counter[0] = word0;
    counter[1] = static_cast<unsigned>(product1);
    counter[2] = word2;
    counter[3] = static_cast<unsigned>(product0);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
}

// A multiple of 2^-24 in [0, 1).
template <class T>
OL_DEVICE T uniform(unsigned word) {
  return static_cast<T>(mul(static_cast<float>(word >> 8), 0x1p-24F));
}

}  // namespace ol
