// Launches on the device, one by one and as a graph, and lanes beside each other.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "exec/check.h"
#include "exec/cuda/bound_lanes.h"
#include "exec/cuda/test_device.h"
#include "exec/sample_programs.h"
#include "outerloop/exec/oracle.h"
#include "support/sample_inputs.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::BoundLanes;
using testing_support::draw_inputs;
using testing_support::expect_same_bits;
using testing_support::kLanes;

class Launches : public ::testing::TestWithParam<Steps> {};

TEST_P(Launches, AndTheirGraphGiveTheSameBits) {
  const auto device = testing_support::test_device();
  const Program program = testing_support::tanh_mlp_gradient(DType::f32, 2);
  BoundLanes bound(device, program, GetParam());
  const std::vector<Tensor> first = draw_inputs(program, {}, 1);
  std::vector<Tensor> second = draw_inputs(program, {}, 2);
  for (size_t i = 0; i < second.size(); ++i) {
    if (program.inputs[i].binding == Binding::shared) second[i] = first[i];
  }
  bound.give(0, first);
  bound.give(1, second);
  const DeviceGraph graph = bound.lanes().record(bound.stream());
  const std::vector<Tensor> expected[] = {interpret(program, first), interpret(program, second)};
  for (const bool replay : {true, false, true}) {
    bound.forget();
    replay ? device->launch(bound.stream(), graph) : bound.lanes().run(bound.stream());
    for (size_t lane = 0; lane < kLanes; ++lane) {
      expect_same_bits(expected[lane], bound.results(lane), replay ? "replayed" : "launched");
    }
  }
}

// A lane of NaN leaves its neighbour alone.
TEST_P(Launches, GiveALaneTheSameBitsWhateverItsNeighbourHolds) {
  const auto device = testing_support::test_device();
  const Program program = testing_support::tanh_mlp_gradient(DType::f32, 1);
  BoundLanes bound(device, program, GetParam());
  const std::vector<Tensor> good = draw_inputs(program, {}, 1);
  std::vector<Tensor> bad = draw_inputs(program, {}, 2);
  for (size_t i = 0; i < bad.size(); ++i) {
    if (program.inputs[i].binding == Binding::shared) {
      bad[i] = good[i];
    } else if (bad[i].dtype() == DType::f32) {
      std::ranges::fill(bad[i].as<float>(), std::numeric_limits<float>::quiet_NaN());
    }
  }
  const std::vector<Tensor> expected = interpret(program, good);
  for (const size_t place : {0, 1}) {
    bound.give(1 - place, bad);
    bound.give(place, good);
    bound.lanes().run(bound.stream());
    expect_same_bits(expected, bound.results(place), "beside NaN");
  }
}

INSTANTIATE_TEST_SUITE_P(OneByOneAndAsOneKernel, Launches,
                         ::testing::Values(Steps::one_by_one, Steps::one_kernel_if_it_fits));

}  // namespace
}  // namespace outerloop::exec::cuda
