// Steps on a device that run without the host, as the stand-in for a GPU counts.

#include "exec/cuda/host_device.h"
#include "train/courses.h"

namespace outerloop::train {
namespace {

class StepsWithoutTheHost : public Courses {};

// In the steady state the host waits once for all the steps that it asked for, and nobody
// allocates.
TEST_F(StepsWithoutTheHost, WaitOnceAndAllocateNothing) {
  const auto device = std::make_shared<testing_support::HostDevice>();
  for (const Case& c : std::vector<Case>{{"function", "sinusoid_maml", tiny()},
                                         {"images", "omniglot_maml", images()}}) {
    SCOPED_TRACE(c.name);
    const config::Resolved resolved =
        shipped(c.config, folder_ / "run", c.words + Words{"runtime.threads=2"});
    const train::Setup setup = make_setup(resolved.config, resolved.folder);
    ThreadPool pool(2);
    MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool, {},
                  nullptr, device);
    int64_t told_of = 0;
    const auto told = [&](int64_t iteration, const MetaStepResult&) {
      EXPECT_EQ(iteration, told_of++);
    };
    step.run(0, 1, told);
    const size_t waits = device->waits(), allocations = device->allocations();
    const size_t graphs = device->graphs();
    step.run(1, 9, told);
    EXPECT_EQ(device->waits() - waits, 1u);
    EXPECT_EQ(device->allocations() - allocations, 0u);
    EXPECT_EQ(device->graphs() - graphs, 9u) << "each of the steps is one graph";
    EXPECT_EQ(told_of, 10);
    EXPECT_EQ(step.buffer_bytes(), device->held_bytes());
    ASSERT_GT(step.most_at_once(), 1);
    if (c.name == "images") continue;  // whose steps take the stand-in long
    step.run(10, step.most_at_once() + 1, told);
    EXPECT_EQ(device->waits() - waits, 3u) << "more than it does at once";
    EXPECT_EQ(told_of, 11 + step.most_at_once());
  }
}

}  // namespace
}  // namespace outerloop::train
