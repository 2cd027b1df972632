// Programs made from the op records give the bits of the oracle.

#include "ops/generated.h"

#include <gtest/gtest.h>

#include "exec/check.h"

namespace outerloop::exec {
namespace {

using outerloop::testing::Generated;
using outerloop::testing::OpCase;
using testing_support::check_against_oracle;

class ChainsOfRank : public ::testing::TestWithParam<int> {};

TEST_P(ChainsOfRank, GiveTheBitsOfTheOracle) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    const DType dtype = seed % 2 == 0 ? DType::f32 : DType::f64;
    const Generated chain = outerloop::testing::random_chain(GetParam(), dtype, seed);
    check_against_oracle(chain.program, chain.inputs, chain.name);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ChainsOfRank, ::testing::Range(0, Shape::kMaxRank + 1));

class Neighbourhoods : public ::testing::TestWithParam<OpCase> {};

TEST_P(Neighbourhoods, GiveTheBitsOfTheOracle) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Generated made = outerloop::testing::neighbourhood(GetParam(), dtype, 5);
    check_against_oracle(made.program, made.inputs, made.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Records, Neighbourhoods,
                         ::testing::ValuesIn(outerloop::testing::all_cases()),
                         [](const auto& test) { return outerloop::testing::name_of(test.param); });

}  // namespace
}  // namespace outerloop::exec
