// The programs behind reference files on a device: the bits of the CPU, and check_reference's own
// way there.

#include <gtest/gtest.h>

#include <algorithm>

#include "exec/check.h"
#include "exec/cuda/test_device.h"
#include "meta/golden_files.h"
#include "outerloop/exec/cuda.h"
#include "reference/layout.h"

namespace outerloop::reference {
namespace {

// What the CPU made of each program when it came first.
struct Recorded {
  Program program;
  std::vector<Tensor> inputs, outputs;
};

Engine recording(std::vector<Recorded>& calls) {
  return [&calls](const Program& program) -> Run {
    return [&calls, &program, run = compiled()(program),
            is_first = true](std::span<const Tensor> inputs) mutable {
      std::vector<Tensor> outputs = run(inputs);
      if (std::exchange(is_first, false)) {
        calls.push_back({program, {inputs.begin(), inputs.end()}, outputs});
      }
      return outputs;
    };
  };
}

class GoldenFile : public testing::TestWithParam<std::tuple<std::string, DType>> {};

TEST_P(GoldenFile, GivesTheBitsOfTheCpuOnTheDevice) {
  const auto& [name, dtype] = GetParam();
  const StoredFile file = golden_file(name);
  std::vector<Recorded> calls;
  ProgramRunner runner(recording(calls));
  Report report;
  Context context{file, dtype, runner, report};
  layout_of(file).check(context);
  const auto device = testing_support::test_device();
  std::vector<std::shared_ptr<const exec::cuda::Executable>> executables;
  for (const Recorded& call : calls) {
    executables.push_back(exec::cuda::Executable::compile(call.program, device));
  }
  ASSERT_GT(calls.size(), 0u);
  for (size_t i = 0; i < calls.size(); ++i) {
    testing_support::expect_same_bits(calls[i].outputs,
                                      exec::cuda::run_once(executables[i], {calls[i].inputs})[0],
                                      fmt::format("program {} of {}", i, calls.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenFile,
                         testing::Combine(testing::ValuesIn(golden_files_of_programs()),
                                          testing::Values(DType::f64, DType::f32)),
                         golden_name);

}  // namespace
}  // namespace outerloop::reference
