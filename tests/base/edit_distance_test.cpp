#include "outerloop/base/edit_distance.h"

#include <gtest/gtest.h>

#include <array>

namespace outerloop {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("steps", "steps"), 0u);
  EXPECT_EQ(edit_distance("", "rate"), 4u);
  EXPECT_EQ(edit_distance("steps", "step"), 1u);
  EXPECT_EQ(edit_distance("steps", "staps"), 1u);
  EXPECT_EQ(edit_distance("stpes", "steps"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

constexpr std::array<std::string_view, 3> kKeys{"inner.rate", "inner.steps", "outer.rate"};

TEST(NearestWord, FindsTheWordThatWasMeant) {
  EXPECT_EQ(nearest_word("inner.stpes", kKeys), "inner.steps");
  EXPECT_EQ(nearest_word("outr.rate", kKeys), "outer.rate");
}

TEST(NearestWord, SaysNothingWhenAllAreFar) {
  EXPECT_EQ(nearest_word("colour", kKeys), std::nullopt);
}

TEST(NearestWord, ForgivesOneCharacterOfShortWords) {
  constexpr std::array<std::string_view, 1> kWords{"on"};
  EXPECT_EQ(nearest_word("o", kWords), "on");
}

}  // namespace
}  // namespace outerloop
