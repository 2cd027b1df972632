// Training in the steady state allocates nothing: every allocation of the program is counted. And
// its workspace is used to the last planned byte.

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "data/image_sets.h"
#include "exec/cuda/host_device.h"
#include "outerloop/meta/plan.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/problem.h"
#include "train/runs.h"

namespace {
std::atomic<long> allocations = 0;
}

// The C library's own entries under all the names through which memory is asked for; operator new
// comes here as well.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) {
  ++allocations;
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** result, size_t alignment, size_t bytes) {
  ++allocations;
  *result = __libc_memalign(alignment, bytes);
  return *result == nullptr ? ENOMEM : 0;
}
}

namespace outerloop::train {
namespace {

class SteadyState : public testing::TestWithParam<Problem> {
 protected:
  SteadyState() {
    Words words = GetParam().words;
    if (GetParam().config.starts_with("omniglot")) {
      data::save_image_set(data::small_set(), folder_ / "small.h5");
      words = words + Words{"tasks.dataset=" + (folder_ / "small.h5").string(),
                            "tasks.split=half",
                            "tasks.ways=3",
                            "model.filters=5",
                            "model.blocks=2",
                            "outer.schedule=constant"};
    }
    resolved_ = shipped(GetParam().config, folder_ / "run", words + Words{"outer.meta_batch=5"});
  }

  TemporaryFolder folder_;
  config::Resolved resolved_;
};

TEST(Counter, CountsEveryWayToAllocate) {
  const auto counted = [](auto action) {
    const long before = allocations;
    action();
    return allocations - before;
  };
  EXPECT_EQ(counted([] { delete new volatile int(1); }), 1);
  EXPECT_EQ(counted([] { std::free(std::malloc(3)); }), 1);
  // Its elements, and the count of its owners.
  EXPECT_EQ(counted([] { Tensor(DType::f32, Shape{100}); }), 2);
}

TEST_P(SteadyState, AllocatesNothing) {
  const train::Setup setup = make_setup(resolved_.config, resolved_.folder);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    MetaStep step(resolved_.config, setup.learner, setup.train_shape, setup.train_tasks, pool,
                  compile_options(resolved_.config));
    // The first steps size what can be sized only then.
    int64_t iteration = 0;
    for (; iteration < 2; ++iteration) step.run(iteration);
    const long before = allocations;
    for (; iteration < 12; ++iteration) step.run(iteration);
    EXPECT_EQ(allocations - before, 0) << threads << " threads";
  }
}

// Its own memory is looked at by device_steps_test.cpp.
TEST(SteadyStateOnDevice, AllocatesNothingOnTheHost) {
  const TemporaryFolder folder;
  const config::Resolved resolved =
      shipped("sinusoid_maml", folder / "run", {"model.hidden=[6,6]", "outer.meta_batch=5"});
  const train::Setup setup = make_setup(resolved.config, resolved.folder);
  ThreadPool pool(2);
  MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool, {},
                nullptr, std::make_shared<testing_support::HostDevice>());
  int64_t told_of = 0;
  const MetaStep::Told told = [&told_of](int64_t, const MetaStepResult&) { ++told_of; };
  step.run(0, 2, told);
  const long before = allocations;
  step.run(2, 10, told);
  step.run(12, 5, told);
  EXPECT_EQ(allocations - before, 0);
  EXPECT_EQ(told_of, 17);
}

// Inputs that the program can work with, whatever they mean.
Tensor plausible(const TensorType& type) {
  Tensor tensor(type.dtype, type.shape);
  if (type.dtype == DType::i32) return tensor;
  int place = 0;
  for (float& value : tensor.as<float>()) value = 0.01F * static_cast<float>(++place % 37 - 18);
  return tensor;
}

// Runs a program in a workspace of known content and returns how many bytes at the end of its plan
// were not written.
size_t unused_bytes(const exec::CompileOptions& options, const Program& program) {
  const auto executable = exec::Executable::compile(program, options);
  exec::SharedState shared(executable);
  constexpr size_t kGuard = 4096;
  const exec::Workspace workspace(executable->lane_arena_bytes() + kGuard);
  exec::Instance instance(executable, shared, workspace);
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    tensors.push_back(plausible(program.type(program.inputs[i].value)));
    if (program.inputs[i].binding == Binding::shared) {
      shared.bind_input(static_cast<int>(i), tensors.back().data());
    }
    instance.bind_input(static_cast<int>(i), tensors.back().data());
  }
  for (size_t o = 0; o < program.outputs.size(); ++o) {
    const TensorType& type = program.type(program.outputs[o].value);
    tensors.emplace_back(type.dtype, type.shape);
    instance.bind_output(static_cast<int>(o), tensors.back().data());
  }
  shared.run();
  size_t touched = 0;
  // Two patterns: a byte that a kernel happened to write as it was shows with the other one.
  for (const std::byte pattern : {std::byte{0x5A}, std::byte{0xA5}}) {
    std::ranges::fill(workspace.bytes(), pattern);
    instance.run();
    const auto bytes = workspace.bytes();
    for (size_t i = touched; i < bytes.size(); ++i) {
      if (bytes[i] != pattern) touched = i + 1;
    }
  }
  EXPECT_LE(touched, executable->lane_arena_bytes());
  return executable->lane_arena_bytes() - touched;
}

TEST_P(SteadyState, ThePlannedPeakIsTheMeasuredOne) {
  const train::Setup setup = make_setup(resolved_.config, resolved_.folder);
  const meta::GradientPlan plan = meta::make_gradient_plan(setup.learner, setup.train_shape);
  std::vector<const meta::Call*> calls{&plan.last};
  for (const meta::Call& call : plan.forward) calls.push_back(&call);
  for (const meta::Call& call : plan.backward) calls.push_back(&call);
  for (const meta::Call* call : calls) {
    if (!call->program) continue;
    // The last buffer may end in padding to the next aligned place.
    EXPECT_LT(unused_bytes(compile_options(resolved_.config), *call->program), 64u);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SteadyState,
    testing::Values(
        Problem{"sinusoid", "sinusoid_maml", {"outer.ema=0.99"}},
        Problem{"segments", "sinusoid_maml_5step", {"inner.segment=2", "outer.clip_norm=1"}},
        Problem{"conv4", "omniglot_maml", {"inner.steps=2"}},
        // The weights of the loss change with the epoch; all these steps are of one.
        Problem{"multi_step_loss",
                "omniglot_mamlpp",
                {"inner.steps=2", "outer.epoch=100", "learner.multi_step_loss_epochs=2"}},
        Problem{"reptile",
                "omniglot_reptile",
                {"inner.steps=2", "tasks.shots=3", "inner.batch=4", "test.batch=3"}},
        Problem{"ridge", "omniglot_r2d2", {"tasks.queries=2"}}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace outerloop::train
