// What tasks on a device take of it, as the stand-in for a GPU counts.

#include "train/device_batch.h"

#include "exec/cuda/host_device.h"
#include "outerloop/base/error.h"
#include "train/courses.h"
#include "train/evaluations.h"

namespace outerloop::train {
namespace {

using testing_support::HostDevice;

// Tasks are more than one kernel there.
class SmallDevice : public HostDevice {
 public:
  exec::DeviceLimits limits() const override { return {.shared_bytes_on_request = 0}; }
};

class OnSmallDevice : public Courses {
 protected:
  std::shared_ptr<SmallDevice> device_ = std::make_shared<SmallDevice>();
};

// One more call takes no more working memory.
TEST_F(OnSmallDevice, CallsShareTheirWorkingMemory) {
  const Evaluation evaluation(resolved({"", "omniglot_maml", images()}));
  const train::Setup& setup = evaluation.setup();
  const optim::ThetaLayout layout = layout_of(setup.learner.parameters);
  DeviceState state(device_, {.theta = evaluation.theta(1)});
  constexpr int64_t kTasks = 5;
  size_t arenas = 0;
  const auto held = [&](int64_t steps) {
    const meta::EvaluationPlan calls =
        meta::make_evaluation_plan(setup.learner, setup.test_shape, steps);
    const DevicePlan plan(plan_lane(calls),
                          theta_inputs(state.host_theta().as<float>().data(), layout),
                          setup.test_tasks, state, {});
    const size_t before = device_->held_bytes();
    const DeviceBatch batch(plan, kTasks);
    arenas = plan.lane_bytes() * kTasks;
    return device_->held_bytes() - before;
  };
  const size_t with_two = held(2);
  EXPECT_LT(held(3) - with_two, arenas);
}

// And waits once for each batch.
TEST_F(OnSmallDevice, AnEvaluationLikeTheLastOneAllocatesNothing) {
  for (const Case& c : {Case{"function", "sinusoid_maml", tiny() + Words{"test.steps=2"}},
                        Case{"images", "omniglot_maml", images() + Words{"test.steps=2"}}}) {
    SCOPED_TRACE(c.name);
    const Evaluation evaluation(resolved(c));
    ThreadPool pool(2);
    const auto evaluator = evaluation.evaluator(pool, device_);
    const auto evaluate = [&](int64_t tasks) {
      return evaluator->evaluate(1, data::Split::test, tasks, 1e9);
    };
    expect_same(evaluate(6), evaluation.run(nullptr, 6), "");
    evaluator->set_theta(evaluation.theta(2));
    const size_t allocations = device_->allocations(), graphs = device_->graphs();
    const size_t waits = device_->waits();
    evaluate(6);
    EXPECT_EQ(device_->allocations() - allocations, 0u);
    EXPECT_EQ(device_->graphs() - graphs, 1u);
    EXPECT_EQ(device_->waits() - waits, 1u);
  }
}

// Images and rows of tables alike.
TEST_F(OnSmallDevice, DataThatAreThereAreNotSentAgain) {
  const Evaluation evaluation(resolved({"", "omniglot_maml", images()}));
  const data::ImageTable table = evaluation.setup().test_tasks->images();
  const auto there = std::make_shared<DeviceData>(device_);
  ThreadPool pool(1);
  const auto sent = [&](const std::shared_ptr<DeviceData>& data) {
    const size_t before = device_->copied_bytes();
    evaluation.evaluator(pool, device_, nullptr, data);
    return device_->copied_bytes() - before;
  };
  const size_t all = sent(there);
  EXPECT_EQ(sent(nullptr), all);
  EXPECT_GT(all - sent(there), table.pixels.size()) << "the images, and which class has which";
}

// As one in a bundle: from some time on it has no other kernels.
class ClosedDevice : public SmallDevice {
 public:
  exec::DeviceCompiler compiler() override { return {.name = "a pack", .takes_any = false}; }
  std::vector<exec::DeviceFunction> compile(std::string_view prelude,
                                            std::span<const exec::KernelSource> kernels) override {
    if (is_closed) throw BadInput("no such kernels");
    return SmallDevice::compile(prelude, kernels);
  }
  bool is_closed = false;
};

TEST_F(OnSmallDevice, ATestWhoseKernelsAreMissingIsComputedByTheProcessor) {
  const auto config = [&](const char* name) {
    return shipped(
        "sinusoid_maml", folder_ / name,
        tiny() + Words{"outer.iterations=4", "log.every_iterations=2", "validation.every=2",
                       "validation.tasks=3", "test.tasks=3", "report.write=false"});
  };
  const auto device = std::make_shared<ClosedDevice>();
  train(config("device"),
        {.on_iteration = [&](const auto&) { device->is_closed = true; }, .device = device});
  EXPECT_EQ(device->graphs(), 4u) << "the steps";
  train(config("threads"), {});
  EXPECT_EQ(lasting_metrics(folder_ / "device"), lasting_metrics(folder_ / "threads"));
  const std::string log = read_file(RunFolder{folder_ / "device"}.log(0));
  EXPECT_NE(log.find("validation and test are computed by the processor: no such kernels"),
            log.npos)
      << log;
}

// Steps, two validations and a test.
TEST_F(OnSmallDevice, ATrainingEvaluatesThereToo) {
  const Words words{"outer.iterations=4", "log.every_iterations=2", "validation.every=2",
                    "validation.tasks=3", "test.tasks=3",           "report.write=false"};
  train(shipped("sinusoid_maml", folder_ / "run", tiny() + words), {.device = device_});
  EXPECT_EQ(device_->graphs(), 4u + 2u + 1u);
}

}  // namespace
}  // namespace outerloop::train
