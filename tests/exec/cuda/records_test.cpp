// Every op record on the device gives the bits of the oracle, lane by lane.

#include "outerloop/ops/records.h"

#include <gtest/gtest.h>

#include "exec/check.h"
#include "exec/cuda/device_check.h"
#include "exec/cuda/source.h"
#include "exec/plan/lowering.h"
#include "ops/generated.h"

namespace outerloop::exec::cuda {
namespace {

using outerloop::testing::Generated;
using testing_support::DeviceCheck;

TEST(Records, HaveKernelsOrADecomposition) {
  for (const OpDef* op : all_ops()) {
    const bool plain = find_rule(*op) == lower_plain;
    EXPECT_TRUE(!plain || has_plain_kernel(*op)) << op->name << " has no kernel for the GPU";
  }
}

class RecordsOfType : public ::testing::TestWithParam<DType> {};

TEST_P(RecordsOfType, GiveTheBitsOfTheOracle) {
  DeviceCheck check;
  for (const auto& c : outerloop::testing::all_cases()) check.add_record(c, GetParam(), 5);
  check.run();
}

INSTANTIATE_TEST_SUITE_P(All, RecordsOfType, ::testing::Values(DType::f32, DType::f64),
                         [](const auto& test) { return std::string(name_of(test.param)); });

}  // namespace
}  // namespace outerloop::exec::cuda
