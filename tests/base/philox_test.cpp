#include "outerloop/base/philox.h"

#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "base/philox_kernels.h"

namespace outerloop {
namespace {

// Random123's own implementation.
std::array<uint32_t, 4> random123(const PhiloxCounter& counter, const PhiloxKey& key) {
  const philox4x32_ctr_t c = {{counter[0], counter[1], counter[2], counter[3]}};
  const philox4x32_key_t k = {{key[0], key[1]}};
  const philox4x32_ctr_t r = philox4x32(c, k);
  return {r.v[0], r.v[1], r.v[2], r.v[3]};
}

// Words of one block out of a group.
std::array<uint32_t, 4> block(const PhiloxKernel kernel, const PhiloxCounter& counter,
                              const PhiloxKey& key) {
  std::array<uint32_t, kPhiloxGroupWords> words{};
  kernel(key, counter, 1, words.data());
  return {words[0], words[8], words[16], words[24]};
}

std::vector<PhiloxKernel> kernels() {
  std::vector<PhiloxKernel> all = {philox_groups_base};
  if (__builtin_cpu_supports("avx2")) all.push_back(philox_groups_avx2);
  return all;
}

TEST(Philox, GivesThePublishedKnownAnswers) {
  for (const PhiloxKernel kernel : kernels()) {
    EXPECT_EQ(block(kernel, {0, 0, 0, 0}, {0, 0}),
              (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(block(kernel, {~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
              (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(
        block(kernel, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
        (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  }
}

TEST(Philox, EveryKernelAgreesWithRandom123) {
  constexpr size_t kGroups = 5;
  for (const PhiloxKernel kernel : kernels()) {
    std::vector<uint32_t> words(kGroups * kPhiloxGroupWords);
    kernel({11, 22}, {33, 44, 55, 66}, kGroups, words.data());
    for (size_t i = 0; i < words.size(); ++i) {
      const size_t group = i / 32;
      const size_t word = i % 32 / 8;
      const auto counter = static_cast<uint32_t>(33 + group * 8 + i % 8);
      ASSERT_EQ(words[i], random123({counter, 44, 55, 66}, {11, 22}).at(word)) << "word " << i;
    }
  }
}

TEST(Philox, TheKeyIsLaidOutAsDocumented) {
  Philox random({.seed = 0x0123456789abcdefULL,
                 .purpose = Purpose::dropout,
                 .iteration = 0x7777'8888'9999ULL,
                 .slot = 5});
  EXPECT_EQ(random.next(), random123({0, 5, 0x88889999, 0x00087777}, {0x89abcdef, 0x01234567})[0]);
}

TEST(Philox, AnIterationPastTheCounterIsRefused) {
  EXPECT_THROW(Philox({.iteration = 1ULL << 48}), std::logic_error);
}

TEST(Philox, AnyPartOfTheKeyGivesAnotherStream) {
  const std::vector<StreamKey> keys = {{.seed = 1},
                                       {.seed = 1ULL << 32},
                                       {.purpose = Purpose::train_task},
                                       {.iteration = 1},
                                       {.iteration = 1ULL << 32},
                                       {.slot = 1},
                                       {}};
  std::set<uint32_t> first;
  for (const StreamKey& key : keys) first.insert(Philox(key).next());
  EXPECT_EQ(first.size(), keys.size());
}

TEST(Philox, FillingGivesTheNumbersOfSingleCalls) {
  for (const size_t ahead : {0, 1, 31, 32, 40}) {
    for (const size_t count : {0, 1, 22, 32, 33, 64, 100, 257}) {
      Philox one({.seed = 9});
      Philox many({.seed = 9});
      for (size_t i = 0; i < ahead; ++i) EXPECT_EQ(one.next(), many.next());
      std::vector<uint32_t> words(count);
      many.fill(words);
      for (const uint32_t word : words) ASSERT_EQ(word, one.next());
      std::vector<float> uniforms(count);
      many.fill(uniforms, -5.0F, 5.0F);
      for (const float value : uniforms) ASSERT_EQ(value, one.uniform(-5.0F, 5.0F));
      ASSERT_EQ(many.next(), one.next());
    }
  }
}

TEST(Philox, UniformsFillTheUnitIntervalEvenly) {
  Philox random({.seed = 3});
  constexpr int kDraws = 200'000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const float u = random.uniform();
    ASSERT_GE(u, 0.0F);
    ASSERT_LT(u, 1.0F);
    sum += u;
    squares += double{u} * u;
  }
  const double mean = sum / kDraws;
  EXPECT_NEAR(mean, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws - mean * mean, 1.0 / 12, 0.001);
}

TEST(Philox, BoundedNumbersAreUnbiased) {
  // A third of 2^32 is where a plain multiply-shift or remainder would show its bias.
  constexpr uint32_t kBound = 0xC0000000U;
  constexpr int kDraws = 100'000;
  Philox random({.seed = 4});
  std::array<int, 3> thirds{};
  for (int i = 0; i < kDraws; ++i) {
    const uint32_t value = random.below(kBound);
    ASSERT_LT(value, kBound);
    ++thirds[value / 0x40000000U];
  }
  const double sigma = std::sqrt(kDraws * (1.0 / 3) * (2.0 / 3));
  for (const int count : thirds) EXPECT_NEAR(count, kDraws / 3.0, 5 * sigma);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Philox, ChoosesWithoutReplacementInRandomOrder) {
  constexpr int kDraws = 60'000;
  std::array<std::array<int, 3>, 6> count{};  // (number, place)
  for (uint32_t i = 0; i < kDraws; ++i) {
    Philox random({.seed = 5, .slot = i});
    std::array<uint32_t, 3> chosen{};
    random.choose(6, chosen);
    ASSERT_EQ(std::set<uint32_t>(chosen.begin(), chosen.end()).size(), 3U);
    for (size_t place = 0; place < 3; ++place) ++count.at(chosen[place])[place];
  }
  const double sigma = std::sqrt(kDraws * (1.0 / 6) * (5.0 / 6));
  for (const auto& places : count) {
    for (const int times : places) EXPECT_NEAR(times, kDraws / 6.0, 5 * sigma);
  }
}

TEST(Philox, ChoosingAllIsAPermutation) {
  Philox random({.seed = 6});
  std::vector<int32_t> chosen(50);
  random.choose(50, std::span<int32_t>(chosen));
  std::vector<int32_t> sorted = chosen;
  std::ranges::sort(sorted);
  std::vector<int32_t> expected(50);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(sorted, expected);
  EXPECT_NE(chosen, expected);
  EXPECT_THROW(random.choose(49, std::span<int32_t>(chosen)), std::logic_error);
}

TEST(Philox, ShufflesEveryOrderEquallyOften) {
  constexpr int kDraws = 60'000;
  std::array<int, 27> count{};
  Philox random({.seed = 7});
  for (int i = 0; i < kDraws; ++i) {
    std::array<int, 3> items = {0, 1, 2};
    random.shuffle(std::span<int>(items));
    ++count.at(static_cast<size_t>(items[0] * 9 + items[1] * 3 + items[2]));
  }
  EXPECT_EQ(std::ranges::count(count, 0), 27 - 6);
  const double sigma = std::sqrt(kDraws * (1.0 / 6) * (5.0 / 6));
  for (const int times : count) {
    if (times != 0) {
      EXPECT_NEAR(times, kDraws / 6.0, 5 * sigma);
    }
  }
}

TEST(Philox, NormalQuantileInvertsTheNormalDistribution) {
  for (const double x : {-8.0, -6.0, -3.5, -1.0, -0.1, 0.3, 1.5, 2.5, 5.0}) {
    const double p = 0.5 * std::erfc(-x / std::sqrt(2.0));
    // Near 1 the probability itself is only known to 1e-16.
    const double tolerance = x > 2 ? 1e-15 / (1 - p) : 2e-14;
    EXPECT_NEAR(normal_quantile(p), x, tolerance * std::abs(x)) << x;
  }
  EXPECT_EQ(normal_quantile(0.5), 0.0);
  EXPECT_EQ(normal_quantile(0.25), -normal_quantile(0.75));
}

TEST(Philox, NormalsHaveTheirMoments) {
  Philox random({.seed = 8});
  constexpr int kDraws = 200'000;
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  double cut = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z = random.normal();
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    const double t = random.truncated_normal(2.0);
    ASSERT_LE(std::abs(t), 2.0);
    cut += t * t;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourth / kDraws, 3, 5 * std::sqrt(96.0 / kDraws));
  EXPECT_NEAR(cut / kDraws, 0.7737, 0.01);  // variance of the normal cut at two
}

}  // namespace
}  // namespace outerloop
