// Meta-steps on a device, a GPU or its stand-in: the bits of threads.

#include <fmt/format.h>

#include <limits>

#include "exec/cuda/test_device.h"
#include "outerloop/comm/local.h"
#include "train/courses.h"

namespace outerloop::train {
namespace {

class OnDevice : public Courses {
 protected:
  std::shared_ptr<exec::Device> device_ = testing_support::test_device();
};

TEST_F(OnDevice, EveryLearnerTrainsWithTheBitsOfThreads) {
  for (const Case& c : learners()) {
    expect_equal(course(c, device_), course(c, nullptr), c.name);
  }
}

TEST_F(OnDevice, RanksOfDevicesGiveTheBitsOfOneProcess) {
  for (const auto& [size, tasks] : {std::pair{2, "5"}, std::pair{3, "2"}}) {
    const Case c{"", "sinusoid_maml",
                 tiny() + Words{"runtime.self_check=2", fmt::format("outer.meta_batch={}", tasks)}};
    const Course alone = course(c, nullptr);
    std::vector<Course> courses(static_cast<size_t>(size));
    comm::run_ranks(size, [&](comm::Communicator& ranks) {
      courses[static_cast<size_t>(ranks.rank())] =
          course(c, testing_support::test_device(), &ranks);
    });
    for (Course& got : courses) {
      got.hashes = alone.hashes;  // each rank has those of its own slots
      EXPECT_EQ(got.way, "mpi") << "they share a GPU";
      expect_equal(got, alone, fmt::format("one of {} ranks", size));
    }
  }
}

// The gradient of one slot becomes NaN, which takes that slot out of the sum alone.
TEST_F(OnDevice, LeavesOutTheSlotsThatThreadsLeaveOut) {
  const Case c{"", "sinusoid_maml", tiny()};
  hook_ = [](int64_t, int64_t slot, int64_t first, std::span<float> part) {
    if (slot == 2 && first == 0) part[0] = std::numeric_limits<float>::quiet_NaN();
  };
  const Course got = course(c, device_);
  EXPECT_EQ(got.numbers[2], 1) << "of five slots";
  expect_equal(got, course(c, nullptr), "");
}

// Single tasks, of which the wilder ones diverge: their updates are left out, and Adam's next one
// does not count them.
TEST_F(OnDevice, RefusesTheUpdatesThatThreadsRefuse) {
  const Case c{"",
               "sinusoid_maml",
               {"outer.meta_batch=1", "outer.rate=1e-5", "inner.steps=20", "inner.rate=0.8"},
               12};
  const Course got = course(c, device_);
  EXPECT_GT(got.updates, 2);
  EXPECT_LT(got.updates, c.iterations);
  expect_equal(got, course(c, nullptr), "");
}

TEST_F(OnDevice, LeavesOutTheSlotsThatDivergeOfManyThatDoNot) {
  const Case c{"",
               "sinusoid_maml",
               {"outer.meta_batch=5", "outer.rate=1e-5", "inner.steps=20", "inner.rate=0.8"},
               6};
  const Course got = course(c, device_);
  EXPECT_GT(got.partly_left_out, 0);
  expect_equal(got, course(c, nullptr), "");
}

TEST_F(OnDevice, ASelfCheckInterruptsAndChangesNothing) {
  const Case c{"", "sinusoid_maml", tiny() + Words{"runtime.self_check=3"}, 7};
  expect_equal(course(c, device_), course(c, nullptr), "");
}

}  // namespace
}  // namespace outerloop::train
