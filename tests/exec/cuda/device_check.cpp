#include "exec/cuda/device_check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "exec/check.h"
#include "outerloop/exec/oracle.h"

namespace outerloop::testing_support {

void DeviceCheck::add(const Program& program, std::vector<std::vector<Tensor>> lane_inputs,
                      const std::string& what) {
  for (std::vector<Tensor>& inputs : lane_inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (program.inputs[i].binding == Binding::shared) inputs[i] = lane_inputs[0][i];
    }
  }
  Case c{what, program, std::move(lane_inputs), {}};
  passes::Options required;
  for (const passes::Pass& pass : passes::pipeline()) {
    if (!pass.required) required.disabled.emplace_back(pass.name);
  }
  using exec::cuda::Steps;
  for (const auto& [options, steps] : {std::pair{passes::Options{}, Steps::one_by_one},
                                       {required, Steps::one_by_one},
                                       {passes::Options{}, Steps::one_kernel_if_it_fits}}) {
    c.executables.push_back(exec::cuda::Executable::compile(program, device_, options, steps));
  }
  cases_.push_back(std::move(c));
}

void DeviceCheck::add_record(const outerloop::testing::OpCase& c, DType dtype, uint32_t seed) {
  std::vector<std::vector<Tensor>> lane_inputs;
  for (uint32_t lane = 0; lane < 3; ++lane) {
    lane_inputs.push_back(outerloop::testing::neighbourhood(c, dtype, seed + lane).inputs);
  }
  const auto made = outerloop::testing::neighbourhood(c, dtype, seed);
  add(made.program, std::move(lane_inputs), made.name);
}

void DeviceCheck::run(const Case& c) {
  SCOPED_TRACE(c.what);
  std::vector<std::vector<Tensor>> expected;
  for (const auto& inputs : c.lane_inputs) {
    expected.push_back(exec::interpret(c.program, inputs));
  }
  for (const auto& executable : c.executables) {
    for (const size_t lanes : {size_t{1}, c.lane_inputs.size()}) {
      // The last lanes, so that no lane has one place.
      const std::vector<std::vector<Tensor>> inputs(c.lane_inputs.end() - static_cast<long>(lanes),
                                                    c.lane_inputs.end());
      const auto outputs = exec::cuda::run_once(executable, inputs);
      for (size_t lane = 0; lane < lanes; ++lane) {
        expect_same_bits(expected[expected.size() - lanes + lane], outputs[lane],
                         fmt::format("{}, lane {} of {}", c.what, lane, lanes));
      }
    }
  }
}

void DeviceCheck::run() {
  for (const Case& c : cases_) run(c);
}

}  // namespace outerloop::testing_support
