// Steps on a device that run without the host, as the stand-in for a GPU counts.

#include "data/image_sets.h"
#include "exec/cuda/host_device.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

struct Problem {
  std::string name;
  std::string config;
  Words words;
};

// In the steady state the host waits once for all the steps that it asked for, and nobody
// allocates.
TEST(DeviceSteps, RunWithoutTheHost) {
  const TemporaryFolder folder;
  data::save_image_set(data::small_set(), folder / "small.h5");
  const auto device = std::make_shared<testing_support::HostDevice>();
  for (const Problem& c :
       std::vector<Problem>{{"function", "sinusoid_maml", tiny_sinusoid()},
                            {"images", "omniglot_maml", small_images(folder / "small.h5")}}) {
    SCOPED_TRACE(c.name);
    const config::Resolved resolved =
        shipped(c.config, folder / "run", c.words + Words{"runtime.threads=2"});
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
    ASSERT_GT(step.most_at_once(), 1);
    step.run(10, step.most_at_once() + 1, told);
    EXPECT_EQ(device->waits() - waits, 3u) << "more than it does at once";
    EXPECT_EQ(told_of, 11 + step.most_at_once());
    EXPECT_EQ(step.buffer_bytes(), device->held_bytes());
  }
}

}  // namespace
}  // namespace outerloop::train
