// The hashes of gradients: what they are by their definition, and that no flipped bit escapes.

#include "train/bit_sums.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace outerloop::train {
namespace {

const std::vector<int64_t> kEnds{16, 64, 64 + 16 * 9, 64 + 16 * 9 + 32};

std::vector<float> example(uint32_t seed) {
  std::vector<float> values(static_cast<size_t>(kEnds.back()));
  for (float& value : values) value = static_cast<float>((seed = seed * 69069u + 1u) >> 8) * 1e-5f;
  return values;
}

std::vector<uint32_t> hashes_of(const std::vector<std::vector<float>>& vectors) {
  std::vector<LaneSums> sums(kEnds.size());
  for (const auto& values : vectors) add_bit_sums(values, 0, kEnds, sums);
  std::vector<uint32_t> hashes(kEnds.size());
  hash_each(sums, hashes);
  return hashes;
}

uint32_t hash_of(const std::vector<float>& values) {
  std::vector<LaneSums> sums(kEnds.size());
  return add_bit_sums(values, 0, kEnds, sums).hash;
}

// Word by word.
uint32_t by_definition(const std::vector<float>& values, int64_t begin, int64_t end) {
  uint32_t hash = 0;
  for (uint32_t lane = 0; lane < 16; ++lane) {
    uint32_t first[2] = {}, second[2] = {};
    for (int64_t i = begin + lane; i < end; i += 16) {
      const size_t chain = (i - begin) / 16 % 2 == 1 ? 1 : 0;
      first[chain] += std::bit_cast<uint32_t>(values[static_cast<size_t>(i)]);
      second[chain] += first[chain];
    }
    hash += (first[0] + first[1]) * (0x9E3779B1u * (2 * lane + 1)) +
            (second[0] + 3 * second[1]) * (0x85EBCA6Bu * (4 * lane + 2));
  }
  return hash;
}

TEST(BitSums, AreWhatTheHeaderSays) {
  const std::vector<float> values = example(1);
  const std::vector<uint32_t> parts = hashes_of({values});
  uint32_t whole = 0;
  for (size_t p = 0; p < kEnds.size(); ++p) {
    const uint32_t part = by_definition(values, p == 0 ? 0 : kEnds[p - 1], kEnds[p]);
    EXPECT_EQ(parts[p], part) << p;
    whole += part;
  }
  EXPECT_EQ(hash_of(values), whole);
}

TEST(BitSums, ChangeWithEveryBit) {
  const std::vector<float> values = example(2);
  const uint32_t known = hash_of(values);
  for (size_t i = 0; i < values.size(); ++i) {
    for (int bit = 0; bit < 32; ++bit) {
      std::vector<float> flipped = values;
      flipped[i] = std::bit_cast<float>(std::bit_cast<uint32_t>(values[i]) ^ (1u << bit));
      ASSERT_NE(hash_of(flipped), known) << "element " << i << ", bit " << bit;
    }
  }
}

TEST(BitSums, AddUpInAnyOrder) {
  const auto a = example(3), b = example(4), c = example(5);
  EXPECT_EQ(hashes_of({a, b, c}), hashes_of({c, a, b}));
  EXPECT_NE(hashes_of({a, b, c}), hashes_of({a, b, b}));
}

TEST(BitSums, SeeWhatIsNotFinite) {
  std::vector<LaneSums> sums(kEnds.size());
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
    for (const size_t place : {size_t{0}, size_t{40}, static_cast<size_t>(kEnds.back()) - 1}) {
      std::vector<float> values = example(6);
      EXPECT_TRUE(add_bit_sums(values, 0, kEnds, sums).finite);
      values[place] = bad;
      EXPECT_FALSE(add_bit_sums(values, 0, kEnds, sums).finite) << bad << " at " << place;
    }
  }
  EXPECT_TRUE(add_bit_sums(std::vector<float>(static_cast<size_t>(kEnds.back()),
                                              -std::numeric_limits<float>::max()),
                           0, kEnds, sums)
                  .finite);
}

}  // namespace
}  // namespace outerloop::train
