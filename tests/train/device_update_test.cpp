// The outer update on a device, a GPU or its stand-in: it refuses what threads refuse and has their
// bits.

#include "exec/cuda/test_device.h"
#include "train/updates.h"

namespace outerloop::train {
namespace {

class UpdateOnDevice : public ::testing::Test {
 protected:
  Where where_{.threads = 2, .device = testing_support::test_device()};
};

TEST_F(UpdateOnDevice, HasTheBitsOfThreads) {
  for (const Optimiser& optimiser : optimisers()) expect_same_bits(optimiser, where_);
}

TEST_F(UpdateOnDevice, IsRefusedWhereThatOfThreadsIs) {
  for (const Refused& c : refused()) {
    SCOPED_TRACE(c.name);
    expect_refused(c, where_);
  }
}

TEST_F(UpdateOnDevice, ClipsWhatIsHuge) {
  expect_huge_is_clipped(where_);
}

TEST_F(UpdateOnDevice, GoesOnFromAStateThatWasSet) {
  const std::vector<Vector> slots{drawn(1), drawn(2)};
  Update one(adam(), Where{1}), other(adam(), where_);
  for (int64_t t = 0; t < 2; ++t) ASSERT_TRUE(one.apply(t, slots));
  other.set(one);
  EXPECT_EQ(other.hash(), one.hash());
  ASSERT_TRUE(one.apply(2, slots));
  ASSERT_TRUE(other.apply(2, slots));
  EXPECT_EQ(other.values(), one.values());
  EXPECT_EQ(other.updates(), 3);
}

}  // namespace
}  // namespace outerloop::train
