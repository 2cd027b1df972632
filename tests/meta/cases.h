#pragma once
// Small learners and tasks that together use every option, for tests that hold for all of them.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "outerloop/meta/plan.h"
#include "reference/plan_runner.h"

namespace outerloop::meta::testing {

using reference::NamedTensors;
using reference::ProgramRunner;

struct Case {
  std::string name;
  config::Config config;
  TaskShape shape;
};

// Learners whose meta-gradient is the derivative of their loss.
const std::vector<Case>& exact_cases();
// The others: first order, truncated, implicit, reptile.
const std::vector<Case>& other_cases();
std::vector<Case> all_cases();
const Case& case_called(const std::string& name);

Learner learner_of(const Case& test);

// theta/…, hyper/…, a task, minibatches and a dropout key, as the case needs them. Theta is the
// initial values with noise, so that nothing starts at zero.
NamedTensors inputs_of(const Case& test, const Learner& learner, DType dtype, uint32_t seed = 1);

std::string name_of_case(const ::testing::TestParamInfo<Case>& info);

// The only element of one of `values`.
double number(const NamedTensors& values, std::string_view name);

}  // namespace outerloop::meta::testing
