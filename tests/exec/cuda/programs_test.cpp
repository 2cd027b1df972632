// Whole programs on the device: random chains, meta-gradients of small networks.

#include <gtest/gtest.h>

#include "exec/check.h"
#include "exec/cuda/device_check.h"
#include "exec/sample_programs.h"
#include "support/sample_inputs.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::DeviceCheck;

TEST(RandomChains, GiveTheBitsOfTheOracle) {
  DeviceCheck check;
  for (int rank = 0; rank <= Shape::kMaxRank; ++rank) {
    for (const uint32_t seed : {1, 2, 3, 4}) {
      const DType dtype = seed % 4 == 0 ? DType::f64 : DType::f32;
      const auto chain = outerloop::testing::random_chain(rank, dtype, seed);
      check.add(chain.program, {chain.inputs}, chain.name);
    }
  }
  check.run();
}

TEST(MetaGradients, GiveTheBitsOfTheOracle) {
  DeviceCheck check;
  for (const testing_support::SampleProgram& sample : testing_support::sample_programs()) {
    const Program program = sample.program(DType::f32);
    std::vector<std::vector<Tensor>> lanes;
    for (const uint32_t seed : {11, 12, 13}) {
      lanes.push_back(testing_support::draw_inputs(program, {}, seed));
    }
    check.add(program, std::move(lanes), sample.name);
  }
  check.run();
}

}  // namespace
}  // namespace outerloop::exec::cuda
