// Fast products, made by a stand-in for cuBLAS: calls, graphs, modes, and what is refused.

#include "exec/cuda/cublas.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "exec/check.h"
#include "exec/cuda/bound_lanes.h"
#include "exec/cuda/loaded_cublas.h"
#include "exec/cuda/multiplying_device.h"
#include "exec/cuda/product_cases.h"
#include "exec/sample_programs.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"
#include "support/sample_inputs.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::BoundLanes;
using testing_support::draw_inputs;
using testing_support::kLanes;
using testing_support::MultiplyingDevice;

class FastProducts : public ::testing::Test {
 protected:
  ~FastProducts() override { fake() = {}; }
};

// A result with an epilogue is in the lane's arena first, where lanes do not follow each other.
size_t expected_calls(const Case& c, bool follows) {
  const bool is_shared = c.a == kShared && c.b == kShared;
  return follows && c.calls > 0 && !is_shared ? std::min<size_t>(c.batch, 3) : c.calls;
}

TEST_F(FastProducts, AreAsFewCallsAsStridesAllow) {
  const auto device = std::make_shared<MultiplyingDevice>(Products::float32);
  std::vector<Compiled> all;
  for (const bool follows : {false, true}) {
    for (const Case& c : kCases) all.push_back(compile(c, follows, device));
  }
  for (const auto& [c, follows, program, executable] : all) {
    const std::string what = text(c) + (follows ? ", more follows" : "");
    EXPECT_EQ(executable->library_products(), c.calls > 0 ? 1u : 0u) << what;
    fake().gemms.clear();
    run_once(executable, three_lanes(program));
    EXPECT_EQ(fake().gemms.size(), expected_calls(c, follows)) << what;
  }
}

TEST_F(FastProducts, AreRecordedWithTheOtherLaunches) {
  const auto device = std::make_shared<MultiplyingDevice>(Products::float32);
  const Program program = testing_support::tanh_mlp_gradient(f32, 2);
  BoundLanes bound(device, program, Steps::one_by_one);
  ASSERT_GT(bound.executable().library_products(), 4u);
  const std::vector<Tensor> inputs = draw_inputs(program, {}, 1);
  for (size_t lane = 0; lane < kLanes; ++lane) bound.give(lane, inputs);
  const DeviceGraph graph = bound.lanes().record(bound.stream());
  EXPECT_EQ(fake().gemms.size(), 0u) << "recording ran something";
  bound.lanes().run(bound.stream());
  const std::vector<Tensor> launched = bound.results(1);
  expect_close(interpret(program, inputs), launched, 1e-4, "launched");
  const size_t calls = fake().gemms.size();
  bound.forget();
  device->launch(bound.stream(), graph);
  EXPECT_EQ(fake().gemms.size(), 2 * calls);
  testing_support::expect_same_bits(launched, bound.results(1), "replayed");
  for (const FakeGemm& gemm : fake().gemms) EXPECT_EQ(gemm.stream, bound.stream().handle.get());
}

TEST_F(FastProducts, AreNotThoseOfProgramsThatAreOneKernel) {
  const auto device = std::make_shared<MultiplyingDevice>(Products::float32);
  const Program program = testing_support::tanh_mlp_gradient(f32, 1);
  const auto executable = Executable::compile(program, device);
  EXPECT_EQ(executable->library_products(), 0u);
  const std::vector<Tensor> inputs = draw_inputs(program, {}, 1);
  testing_support::expect_same_bits(interpret(program, inputs), run_once(executable, {inputs})[0],
                                    "one kernel");
}

TEST_F(FastProducts, AreMadeInTheModeThatWasAsked) {
  struct Mode {
    Products products;
    DType dtype;
    std::string name;
    cublasComputeType_t compute;
    double error;  // at least, and at most a hundred times as much
  };
  const Mode kModes[] = {
      {Products::float32, f32, "float32", CUBLAS_COMPUTE_32F, 1e-8},
      {Products::tf32, f32, "tf32", CUBLAS_COMPUTE_32F_FAST_TF32, 2e-5},
      {Products::bfloat16, f32, "bfloat16", CUBLAS_COMPUTE_32F_FAST_16BF, 2e-4},
      {Products::tf32, f64, "tf32", CUBLAS_COMPUTE_64F, 1e-17},
  };
  for (const Mode& mode : kModes) {
    const auto device = std::make_shared<MultiplyingDevice>(mode.products);
    EXPECT_EQ(device->name(), "host, cuBLAS 13.2.3, products in " + mode.name);
    Builder builder;
    builder.output("y", product_of(builder, {1, 20, 20, 50, false, false, kOwn, kOwn, mode.dtype}));
    const Program program = builder.finish();
    const auto inputs = draw_inputs(program, {}, 7);
    fake().gemms.clear();
    const auto got = run_once(Executable::compile(program, device), {inputs})[0];
    ASSERT_EQ(fake().gemms.size(), 1u);
    EXPECT_EQ(fake().gemms[0].compute, mode.compute);
    EXPECT_EQ(fake().gemms[0].type, mode.dtype == f64 ? CUDA_R_64F : CUDA_R_32F);
    const auto expected = interpret(program, inputs);
    expect_close(expected, got, 100 * mode.error, mode.name);
    double largest = 0, error = 0;
    for (size_t i = 0; i < 400; ++i) {
      const double a = expected[0].to_doubles()[i];
      largest = std::max(largest, std::abs(a));
      error = std::max(error, std::abs(a - got[0].to_doubles()[i]));
    }
    EXPECT_GE(error, mode.error * largest) << mode.name;
  }
  EXPECT_EQ(fake().handles, 0) << "not all were given back";
}

// Set as long as the object lives, then as it was.
class Library {
 public:
  explicit Library(const char* file) { setenv("OUTERLOOP_CUBLAS", file, 1); }
  ~Library() { setenv("OUTERLOOP_CUBLAS", OUTERLOOP_FAKE_CUBLAS, 1); }
};

std::string refusal(const char* file) {
  const Library library(file);
  try {
    MultiplyingDevice device(Products::float32);
  } catch (const BadInput& error) {
    return error.what();
  }
  return "none";
}

TEST_F(FastProducts, AreRefusedInOneLineWithoutALibrary) {
  for (const auto& [file, what] :
       {std::pair{"/no/such.so", "fast products are made by cuBLAS, which cannot be loaded ("},
        {"libc.so.6", "libc.so.6 has no cublasCreate_v2: "}}) {
    const std::string words = refusal(file);
    EXPECT_EQ(words.find(what), 0u) << words;
    EXPECT_EQ(words.find('\n'), words.npos) << words;
    EXPECT_NE(words.find("runtime.numerics=ordered"), words.npos) << words;
  }
}

TEST_F(FastProducts, SayWhichCallFailed) {
  fake().fails_to_start = true;
  try {
    MultiplyingDevice device(Products::float32);
    FAIL() << "it started";
  } catch (const SystemFailure& error) {
    EXPECT_NE(std::string(error.what()).find("cublasCreate_v2"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("another failure"), std::string::npos);
  }
  EXPECT_EQ(fake().handles, 0);
}

}  // namespace
}  // namespace outerloop::exec::cuda
