// Whole runs on a device, a GPU or its stand-in: the checkpoints of the CPU, byte for byte, on
// several ranks and across a change of device too.

#include <fmt/format.h>

#include "data/image_sets.h"
#include "exec/cuda/test_device.h"
#include "outerloop/comm/local.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

using testing_support::test_device;

struct DeviceRunCase {
  std::string name;
  std::string config;
  Words words;
  bool of_images = false;
};

void PrintTo(const DeviceRunCase& c, std::ostream* out) {
  *out << c.name;
}

const DeviceRunCase kDeviceRunCases[] = {
    {"sinusoid", "sinusoid_maml", {"inner.steps=2"}},
    {"average_and_clipped_norm",
     "sinusoid_maml",
     {"outer.ema=0.99", "outer.clip_norm=0.5", "outer.optimizer=adamw", "outer.weight_decay=0.01",
      "outer.schedule=cosine"}},
    {"images", "omniglot_maml", {}, true},
};

class DeviceRun : public testing::TestWithParam<DeviceRunCase> {
 protected:
  DeviceRun() { data::save_image_set(data::small_set(), folder_ / "small.h5"); }

  static int64_t iterations() { return testing_support::on_gpu() ? 1000 : 8; }

  config::Resolved config(const std::string& name) const {
    const DeviceRunCase& c = GetParam();
    return shipped(c.config, folder_ / name,
                   (c.of_images ? small_images(folder_ / "small.h5") : tiny_sinusoid()) + c.words +
                       Words{fmt::format("outer.iterations={}", iterations()),
                             "log.every_iterations=2", "log.hashes=true", "validation.every=0",
                             "test.tasks=0", "report.write=false", "runtime.threads=1"});
  }

  void expect_that_of_the_cpu(const std::string& name) const {
    train(config("cpu"), {});
    EXPECT_TRUE(
        same_checkpoints(newest_checkpoint(folder_ / "cpu"), newest_checkpoint(folder_ / name)));
    EXPECT_EQ(lasting_metrics(folder_ / "cpu"), lasting_metrics(folder_ / name));
    EXPECT_EQ(read_file(RunFolder{folder_ / "cpu"}.hashes()),
              read_file(RunFolder{folder_ / name}.hashes()));
  }

  TemporaryFolder folder_;
};

TEST_P(DeviceRun, WritesTheCheckpointOfTheCpu) {
  EXPECT_EQ(Outcome::done, train(config("device"), {.device = test_device()}).outcome);
  expect_that_of_the_cpu("device");
}

// Both say in the log where they go on. A device stops where a line of metrics is due.
TEST_P(DeviceRun, GoesOnWhereTheOtherKindStopped) {
  const std::shared_ptr<exec::Device> device = test_device();
  for (const auto& first : {std::shared_ptr<exec::Device>(), device}) {
    const auto second = first == nullptr ? device : nullptr;
    const std::string name = first == nullptr ? "begun_on_cpu" : "begun_on_device";
    EXPECT_EQ(Outcome::stopped,
              train_until(config(name), iterations() / 4, {.device = first}).outcome);
    EXPECT_EQ(Outcome::done, train(config(name), {.device = second}).outcome);
    const std::string log = read_file(RunFolder{folder_ / name}.log(0));
    EXPECT_NE(log.find(fmt::format("at iteration {} on {}", iterations() / 4,
                                   second == nullptr ? "cpu" : device->name())),
              log.npos)
        << log;
    expect_that_of_the_cpu(name);
  }
}

TEST_P(DeviceRun, DoesNotDependOnTheRanks) {
  comm::run_ranks(2, [&](comm::Communicator& ranks) {
    train(config("ranks"), {.ranks = &ranks, .device = test_device()});
  });
  expect_that_of_the_cpu("ranks");
}

INSTANTIATE_TEST_SUITE_P(All, DeviceRun, testing::ValuesIn(kDeviceRunCases),
                         [](const auto& one) { return one.param.name; });

// What is due at different iterations. Progress is told of every one.
TEST(DeviceRuns, LeaveTheFilesOfRunsOnThreads) {
  const TemporaryFolder folder;
  const Words words =
      tiny_sinusoid() + Words{"outer.iterations=25", "log.every_iterations=10", "log.hashes=true",
                              "validation.every=8",  "validation.tasks=5",      "test.tasks=5",
                              "checkpoint.every=12", "runtime.threads=1"};
  const auto config = [&](const std::string& name) {
    return shipped("sinusoid_maml", folder / name, words);
  };
  std::vector<int64_t> iterations;
  const auto progress = [&](const Progress::Sample& sample) { iterations.push_back(sample.done); };
  train::train(config("threads"), {});
  train::train(config("device"), {.on_iteration = progress, .device = test_device()});
  EXPECT_EQ(iterations.size(), 25u);
  EXPECT_TRUE(std::ranges::is_sorted(iterations));
  // Begun on the device and ended on threads.
  train_until(config("both"), 12, {.device = test_device()});
  train::train(config("both"), {});
  for (const char* name : {"device", "both"}) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(
        same_checkpoints(newest_checkpoint(folder / "threads"), newest_checkpoint(folder / name)));
    EXPECT_EQ(lasting_metrics(folder / "threads"), lasting_metrics(folder / name));
    EXPECT_EQ(read_file(RunFolder{folder / "threads"}.hashes()),
              read_file(RunFolder{folder / name}.hashes()));
  }
}

}  // namespace
}  // namespace outerloop::train
