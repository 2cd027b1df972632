// Fast products on a GPU, or by stand-ins for it and for cuBLAS: near to the processor's, and the
// same each time.

#include "exec/check.h"
#include "exec/cuda/bound_lanes.h"
#include "exec/cuda/product_cases.h"
#include "exec/cuda/test_device.h"
#include "exec/sample_programs.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/oracle.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::BoundLanes;
using testing_support::draw_inputs;
using testing_support::kLanes;
using testing_support::test_device;

class FastProductsOnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      device_ = test_device(Products::float32);
    } catch (const BadInput& missing) {  // cuBLAS
      testing_support::skip_without(missing);
    }
  }

  std::shared_ptr<Device> device_;
};

TEST_F(FastProductsOnDevice, OfManyShapesAreThoseOfTheProcessorButForRounding) {
  std::vector<Compiled> all;
  for (const bool follows : {false, true}) {
    for (const Case& c : kCases) all.push_back(compile(c, follows, device_));
  }
  for (const auto& [c, follows, program, executable] : all) {
    EXPECT_EQ(executable->library_products(), c.calls > 0 ? 1u : 0u) << text(c);
    const auto lanes = three_lanes(program);
    const auto results = run_once(executable, lanes);
    for (size_t lane = 0; lane < lanes.size(); ++lane) {
      expect_close(interpret(program, lanes[lane]), results[lane], c.dtype == f32 ? 1e-5 : 1e-13,
                   text(c) + (follows ? ", more follows" : ""));
    }
  }
}

// Of conv nets and others; whatever is no product keeps its kernels.
TEST_F(FastProductsOnDevice, GiveMetaGradientsButForRounding) {
  std::vector<Program> programs;
  std::vector<std::shared_ptr<const Executable>> executables;
  for (const auto& sample : testing_support::sample_programs()) {
    programs.push_back(sample.program(f64));
    executables.push_back(Executable::compile(programs.back(), device_, {}, Steps::one_by_one));
  }
  for (size_t p = 0; p < programs.size(); ++p) {
    const auto inputs = draw_inputs(programs[p], {}, 11);
    expect_close(interpret(programs[p], inputs), run_once(executables[p], {inputs})[0], 1e-9,
                 fmt::format("program {}", p));
  }
}

struct Mode {
  Products products;
  double error;  // of what is rounded so, at most
};
constexpr Mode kModes[] = {
    {Products::float32, 1e-5}, {Products::tf32, 5e-3}, {Products::bfloat16, 4e-2}};

// Launched, recorded, and by a device that begins anew.
TEST_F(FastProductsOnDevice, HaveTheSameBitsEachTime) {
  const Program program = testing_support::tanh_mlp_gradient(f32, 2);
  const std::vector<Tensor> inputs = draw_inputs(program, {}, 1);
  for (const Mode& mode : kModes) {
    std::vector<Tensor> first;
    for (int start = 0; start < 2; ++start) {
      const std::shared_ptr<Device> device = test_device(mode.products);
      BoundLanes bound(device, program, Steps::one_by_one);
      ASSERT_GT(bound.executable().library_products(), 4u);
      for (size_t lane = 0; lane < kLanes; ++lane) bound.give(lane, inputs);
      const DeviceGraph graph = bound.lanes().record(bound.stream());
      for (const bool replay : {false, true, true}) {
        bound.forget();
        replay ? device->launch(bound.stream(), graph) : bound.lanes().run(bound.stream());
        const std::vector<Tensor> got = bound.results(kLanes - 1);
        if (first.empty()) first = got;
        testing_support::expect_same_bits(first, got, device->name());
      }
    }
    expect_close(interpret(program, inputs), first, 10 * mode.error, "a gradient");
  }
}

TEST_F(FastProductsOnDevice, AreAsNearAsTheirModeRounds) {
  Builder builder;
  builder.output("y", product_of(builder, {1, 200, 70, 50, false, false, kOwn, kOwn, f32, 1}));
  const Program program = builder.finish();
  const auto inputs = draw_inputs(program, {}, 7);
  for (const Mode& mode : kModes) {
    const auto executable =
        Executable::compile(program, test_device(mode.products), {}, Steps::one_by_one);
    ASSERT_EQ(executable->library_products(), 1u);
    expect_close(interpret(program, inputs), run_once(executable, {inputs})[0], mode.error,
                 executable->device()->name());
  }
}

}  // namespace
}  // namespace outerloop::exec::cuda
