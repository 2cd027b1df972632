#include "base/philox_kernels.h"

#include <immintrin.h>

namespace outerloop {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53U;
constexpr uint32_t kMultiplier1 = 0xCD9E8D57U;
constexpr uint32_t kWeyl0 = 0x9E3779B9U;
constexpr uint32_t kWeyl1 = 0xBB67AE85U;
constexpr int kRounds = 10;

struct HighLow {
  __m256i high;
  __m256i low;
};

// The 64-bit products of eight lanes: even and odd lanes apart, then interleaved.
[[gnu::target("avx2")]] inline HighLow multiply(__m256i a, __m256i multiplier) {
  const __m256i even = _mm256_mul_epu32(a, multiplier);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), multiplier);
  return {_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA),
          _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA)};
}

[[gnu::target("avx2")]] inline __m256i broadcast(uint32_t word) {
  return _mm256_set1_epi32(static_cast<int>(word));
}

}  // namespace

void philox_groups_base(const PhiloxKey& key, const PhiloxCounter& first, size_t groups,
                        uint32_t* words) {
  for (size_t block = 0; block < groups * kPhiloxLanes; ++block) {
    PhiloxCounter c = {first[0] + static_cast<uint32_t>(block), first[1], first[2], first[3]};
    PhiloxKey k = key;
    for (int round = 0; round < kRounds; ++round) {
      const uint64_t product0 = uint64_t{kMultiplier0} * c[0];
      const uint64_t product1 = uint64_t{kMultiplier1} * c[2];
      c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(product1),
           static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(product0)};
      k[0] += kWeyl0;
      k[1] += kWeyl1;
    }
    uint32_t* group = words + block / kPhiloxLanes * kPhiloxGroupWords;
    for (size_t w = 0; w < 4; ++w) group[w * kPhiloxLanes + block % kPhiloxLanes] = c[w];
  }
}

[[gnu::target("avx2")]] void philox_groups_avx2(const PhiloxKey& key, const PhiloxCounter& first,
                                                size_t groups, uint32_t* words) {
  const __m256i multiplier0 = broadcast(kMultiplier0);
  const __m256i multiplier1 = broadcast(kMultiplier1);
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  for (size_t g = 0; g < groups; ++g) {
    const uint32_t start = first[0] + static_cast<uint32_t>(g * kPhiloxLanes);
    __m256i c0 = _mm256_add_epi32(broadcast(start), lanes);
    __m256i c1 = broadcast(first[1]);
    __m256i c2 = broadcast(first[2]);
    __m256i c3 = broadcast(first[3]);
    __m256i k0 = broadcast(key[0]);
    __m256i k1 = broadcast(key[1]);
    for (int round = 0; round < kRounds; ++round) {
      const HighLow product0 = multiply(c0, multiplier0);
      const HighLow product1 = multiply(c2, multiplier1);
      c0 = _mm256_xor_si256(product1.high, _mm256_xor_si256(c1, k0));
      c1 = product1.low;
      c2 = _mm256_xor_si256(product0.high, _mm256_xor_si256(c3, k1));
      c3 = product0.low;
      k0 = _mm256_add_epi32(k0, broadcast(kWeyl0));
      k1 = _mm256_add_epi32(k1, broadcast(kWeyl1));
    }
    auto* group = reinterpret_cast<__m256i*>(words + g * kPhiloxGroupWords);
    _mm256_storeu_si256(group, c0);
    _mm256_storeu_si256(group + 1, c1);
    _mm256_storeu_si256(group + 2, c2);
    _mm256_storeu_si256(group + 3, c3);
  }
}

PhiloxKernel philox_kernel() {
  static const PhiloxKernel kernel =
      __builtin_cpu_supports("avx2") ? philox_groups_avx2 : philox_groups_base;
  return kernel;
}

}  // namespace outerloop
