// numpy's numbers: all expectations were printed by numpy 2.4 and scikit-learn 1.9.1.

#include "outerloop/interp/numpy_random.h"

#include <gtest/gtest.h>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"

namespace outerloop::interp {
namespace {

using Places = std::vector<uint32_t>;

TEST(NumpyRandom, DrawsBoundedNumbersAsRandint) {
  NumpyRandom random(5);
  Places drawn;
  for (int i = 0; i < 8; ++i) drawn.push_back(random.up_to(9));
  EXPECT_EQ(drawn, (Places{3, 6, 6, 0, 9, 8, 4, 7}));
}

TEST(NumpyRandom, DrawsNothingForOneChoice) {
  NumpyRandom random(5);
  EXPECT_EQ(random.up_to(0), 0u);
  EXPECT_EQ(random.up_to(9), 3u);
}

TEST(NumpyRandom, PermutesAsPermutation) {
  EXPECT_EQ(NumpyRandom(5).permutation(7), (Places{6, 2, 4, 1, 0, 5, 3}));
}

TEST(NumpyRandom, SamplesSomeByPermutation) {
  EXPECT_EQ(NumpyRandom(5).sample(20, 5), (Places{2, 5, 17, 19, 12}));
}

TEST(NumpyRandom, SamplesFewByTracking) {
  EXPECT_EQ(NumpyRandom(5).sample(1000, 6), (Places{867, 206, 701, 998, 118, 400}));
}

TEST(NumpyRandom, SamplesNearlyAllByReservoir) {
  const Places drawn = NumpyRandom(5).sample(1000, 995);
  ASSERT_EQ(drawn.size(), 995u);
  for (uint32_t place = 0; place < 995; ++place) {
    const uint32_t expected = place == 118   ? 999
                              : place == 206 ? 996
                              : place == 701 ? 997
                              : place == 867 ? 995
                                             : place;
    EXPECT_EQ(drawn[place], expected);
  }
}

TEST(NumpyRandom, CannotSampleMoreThanThereAre) {
  EXPECT_THROW(NumpyRandom(5).sample(3, 4), BadInput);
}

TEST(PairwiseSum, AddsInNumpysOrder) {
  const auto sum = [](size_t n) { return pairwise_sum(std::vector<double>(n, 0.1)); };
  EXPECT_EQ(sum(7), 0x1.6666666666666p-1);
  EXPECT_EQ(sum(9), 0x1.ccccccccccccdp-1);
  EXPECT_EQ(sum(129), 0x1.9ccccccccccccp+3);
  EXPECT_EQ(sum(1000), 0x1.9000000000001p+6);
}

}  // namespace
}  // namespace outerloop::interp
