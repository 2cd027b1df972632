// Steps on a device that run without the host, as the stand-in for a GPU counts.

#include <cmath>
#include <nlohmann/json.hpp>

#include "exec/cuda/host_device.h"
#include "outerloop/comm/local.h"
#include "outerloop/exec/cuda_step_log.h"
#include "outerloop/train/bench.h"
#include "train/courses.h"

namespace outerloop::train {
namespace {

class StepsWithoutTheHost : public Courses {};

// In the steady state the host waits once for all the steps that it asked for, sends nothing up for
// them, and nobody allocates.
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
    // Nothing goes up for a step, and back comes what the host logs.
    const auto copied = [&](int64_t count) {
      const size_t before = device->copied_bytes();
      step.run(told_of, count, told);
      return device->copied_bytes() - before;
    };
    const exec::cuda::StepRow row{.tasks = resolved.config.outer.meta_batch,
                                  .parameters = static_cast<int64_t>(step.layout().entries.size()),
                                  .measures = static_cast<int64_t>(setup.learner.measures.size())};
    const size_t of_one = copied(1);
    EXPECT_EQ(copied(3) - of_one, 2 * static_cast<size_t>(row.words()) * sizeof(uint32_t));
    ASSERT_GT(step.most_at_once(), 1);
    if (c.name == "images") continue;  // whose steps take the stand-in long
    const int64_t first = told_of;
    const size_t waits_before = device->waits();
    step.run(first, step.most_at_once() + 1, told);
    EXPECT_EQ(device->waits() - waits_before, 2u) << "more than it does at once";
    EXPECT_EQ(told_of, first + 1 + step.most_at_once());
  }
}

// What a bench says of a device: its own figures, and none of a processor's.
TEST_F(StepsWithoutTheHost, AreMeasured) {
  const auto device = std::make_shared<testing_support::HostDevice>();
  const config::Resolved resolved = shipped("sinusoid_maml", folder_ / "run", tiny());
  comm::run_ranks(1, [&](comm::Communicator& ranks) {
    const MetaStepBench bench =
        bench_meta_step(resolved, {.seconds = 0.01, .device = device}, ranks);
    EXPECT_EQ(bench.peak_device_bytes, static_cast<int64_t>(device->most_held_bytes()));
    EXPECT_GE(bench.peak_device_bytes, bench.buffer_bytes);
    EXPECT_GT(bench.launches_per_step, 1);
    EXPECT_EQ(bench.launches_per_step, std::floor(bench.launches_per_step)) << "all are the same";
    const nlohmann::json json = nlohmann::json::parse(to_json_text(bench));
    EXPECT_EQ(json.at("device"), "host");
    EXPECT_EQ(json.at("numerics"), "ordered");
    EXPECT_EQ(json.at("sums_by"), "none");
    for (const char* key :
         {"launches_per_step", "traffic_bytes_per_task", "gbytes_per_s", "peak_device_bytes"}) {
      EXPECT_GT(json.at(key), 0) << key;
    }
    for (const char* key : {"fma_peak_gflops", "fraction_of_peak", "kernel_calls_per_task"}) {
      EXPECT_FALSE(json.contains(key)) << key;
    }
    EXPECT_EQ(json.at("share").size(), 1u) << "the host makes nothing";
    const std::string text = describe(bench);
    for (const char* words : {"host, numerics ordered, ", " GB/s: what each kernel",
                              " launches/meta-step, ", " (peak "}) {
      EXPECT_NE(text.find(words), text.npos) << words << "\n" << text;
    }
    EXPECT_EQ(text.find("FMA peak"), text.npos) << text;
  });
}

}  // namespace
}  // namespace outerloop::train
