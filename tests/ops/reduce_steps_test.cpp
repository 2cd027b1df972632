#include <gtest/gtest.h>

#include "outerloop/ops/reduce.h"

namespace outerloop {
namespace {

using Steps = std::vector<ReduceStep>;

Steps steps(Shape shape, std::vector<int64_t> axes) {
  return reduce_steps(shape, axes);
}

TEST(ReduceSteps, LastAxisIsContiguous) {
  EXPECT_EQ(steps({3, 5}, {1}), (Steps{{.outer = 3, .reduced = 5, .inner = 1}}));
  EXPECT_TRUE(steps({3, 5}, {1})[0].contiguous());
}

TEST(ReduceSteps, FirstAxisIsRows) {
  EXPECT_EQ(steps({3, 5}, {0}), (Steps{{.outer = 1, .reduced = 3, .inner = 5}}));
}

TEST(ReduceSteps, NeighboursMerge) {
  EXPECT_EQ(steps({2, 3, 4, 5}, {0, 1, 2}), (Steps{{.outer = 1, .reduced = 24, .inner = 5}}));
  EXPECT_EQ(steps({2, 3, 4, 5}, {0, 1, 2, 3}), (Steps{{.outer = 1, .reduced = 120, .inner = 1}}));
}

TEST(ReduceSteps, ExtentsOfOneDoNotSeparate) {
  EXPECT_EQ(steps({4, 1, 5}, {0, 2}), (Steps{{.outer = 1, .reduced = 20, .inner = 1}}));
  EXPECT_EQ(steps({4, 5, 1}, {1}), (Steps{{.outer = 4, .reduced = 5, .inner = 1}}));
}

TEST(ReduceSteps, SeparateGroupsGoInnermostFirst) {
  EXPECT_EQ(steps({2, 3, 4}, {0, 2}), (Steps{{.outer = 6, .reduced = 4, .inner = 1},
                                             {.outer = 1, .reduced = 2, .inner = 3}}));
}

TEST(ReduceSteps, NothingToReduceIsNoStep) {
  EXPECT_EQ(steps({4, 1, 5}, {1}), Steps{});
  EXPECT_EQ(steps({}, {}), Steps{});
}

TEST(ReduceSteps, EmptyAxesGiveTheStartValue) {
  EXPECT_EQ(steps({3, 0}, {1}), (Steps{{.outer = 3, .reduced = 0, .inner = 1}}));
}

}  // namespace
}  // namespace outerloop
