// How a device executable runs: graphs, lanes, memory, and what it refuses.

#include <gtest/gtest.h>

#include "exec/check.h"
#include "exec/cuda/bound_lanes.h"
#include "exec/cuda/host_device.h"
#include "exec/sample_programs.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"
#include "support/sample_inputs.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::BoundLanes;
using testing_support::draw_inputs;
using testing_support::HostDevice;
using testing_support::kLanes;

class Launches : public ::testing::TestWithParam<Steps> {};

TEST_P(Launches, AreThoseOfThePlanAndAllocateNothing) {
  const auto device = std::make_shared<HostDevice>();
  const Program program = testing_support::tanh_mlp_gradient(DType::f32, 2);
  BoundLanes bound(device, program, GetParam());
  for (size_t lane = 0; lane < kLanes; ++lane) bound.give(lane, draw_inputs(program, {}, 1));
  const size_t launches = bound.executable().lane_launches() + bound.executable().shared_launches();
  const bool is_one = GetParam() == Steps::one_kernel_if_it_fits;
  EXPECT_EQ(is_one, bound.executable().lane_launches() == 1);
  EXPECT_EQ(is_one, bound.executable().lane_arena_bytes() == 0);
  const DeviceGraph graph = bound.lanes().record(bound.stream());
  EXPECT_EQ(0u, device->launched_kernels()) << "recording ran something";
  const size_t allocations = device->allocations();
  for (const bool replay : {true, false, true}) {
    const size_t before = device->launched_kernels();
    replay ? device->launch(bound.stream(), graph) : bound.lanes().run(bound.stream());
    EXPECT_EQ(launches, device->launched_kernels() - before);
  }
  EXPECT_EQ(allocations, device->allocations());
}

INSTANTIATE_TEST_SUITE_P(OneByOneAndAsOneKernel, Launches,
                         ::testing::Values(Steps::one_by_one, Steps::one_kernel_if_it_fits));

// Of which a block has so much memory to itself.
class SmallDevice : public HostDevice {
 public:
  explicit SmallDevice(size_t bytes) : bytes_(bytes) {}
  DeviceLimits limits() const override { return {.shared_bytes_on_request = bytes_}; }
  std::vector<DeviceFunction> compile(std::string_view prelude,
                                      std::span<const KernelSource> kernels) override {
    text_ = kernels.front().text;
    return HostDevice::compile(prelude, kernels);
  }
  const std::string& text() const { return text_; }  // of the last kernel

 private:
  size_t bytes_;
  std::string text_;
};
constexpr size_t kMost = 227 * 1024;

struct Forms {
  int64_t steps;  // of the learner
  size_t bytes;   // of a block
  bool as_table, overflows;
};
class OneKernel : public ::testing::TestWithParam<Forms> {};

TEST_P(OneKernel, HasTheBitsOfItsSteps) {
  const auto device = std::make_shared<SmallDevice>(GetParam().bytes);
  const Program program = testing_support::tanh_mlp_gradient(DType::f32, GetParam().steps);
  BoundLanes bound(device, program, Steps::one_kernel_if_it_fits);
  const Executable& executable = bound.executable();
  EXPECT_EQ("", executable.why_not_one_kernel());
  EXPECT_EQ(1u, executable.lane_launches() + executable.shared_launches());
  EXPECT_LE(executable.block_bytes(), GetParam().bytes);
  EXPECT_EQ(GetParam().overflows, executable.lane_arena_bytes() > 0);
  EXPECT_EQ(GetParam().as_table, device->text().find("switch") != std::string::npos);
  std::vector<std::vector<Tensor>> inputs;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    inputs.push_back(draw_inputs(program, {}, lane));
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      if (program.inputs[i].binding == Binding::shared) inputs[lane][i] = inputs[0][i];
    }
    bound.give(lane, inputs[lane]);
  }
  bound.lanes().run(bound.stream());
  for (size_t lane = 0; lane < kLanes; ++lane) {
    testing_support::expect_same_bits(interpret(program, inputs[lane]), bound.results(lane), "");
  }
}

INSTANTIATE_TEST_SUITE_P(AsTextAndAsTable, OneKernel,
                         ::testing::Values(Forms{2, 48 * 1024, false, false},
                                           Forms{12, 160 * 1024, true, false},
                                           Forms{80, kMost, true, true}));

// Kernels that are made beforehand are made for the most memory, and for none.
TEST(OneKernelChoice, IsTheSameWhereverALaneFits) {
  const auto text_of = [](int64_t steps, size_t bytes) {
    const auto device = std::make_shared<SmallDevice>(bytes);
    const auto executable =
        Executable::compile(testing_support::tanh_mlp_gradient(DType::f32, steps), device);
    EXPECT_EQ(executable->why_not_one_kernel().empty(), executable->block_bytes() > 0);
    return executable->block_bytes() > 0 ? device->text() : "";
  };
  EXPECT_NE(text_of(12, kMost), "");
  EXPECT_EQ(text_of(12, kMost), text_of(12, 163 * 1024));
  EXPECT_NE(text_of(80, kMost), "");
  EXPECT_EQ(text_of(80, 163 * 1024), "");
}

TEST(OneKernelChoice, IsNotForLanesThatHaveMuchToCompute) {
  const auto device = std::make_shared<SmallDevice>(kMost);
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {256, 256}}, Binding::per_lane);
  builder.output("y", matmul(exp(matmul(x, x)), exp(x)));
  const auto executable = Executable::compile(builder.finish(), device);
  EXPECT_GT(executable->lane_launches(), 1u);
  EXPECT_NE(executable->why_not_one_kernel().find("flops in the time of a launch, of 200000"),
            std::string::npos)
      << executable->why_not_one_kernel();
}

TEST(Device, SaysInOneLineWhatIsMissing) {
  try {
    open_device(0);
    GTEST_SKIP() << "this machine has a GPU";
  } catch (const BadInput& missing) {
    const std::string words = missing.what();
    EXPECT_EQ(std::string::npos, words.find('\n')) << words;
    EXPECT_TRUE(words.find("runtime.device=cpu") != std::string::npos ||
                words.find("CUDA_VISIBLE_DEVICES") != std::string::npos)
        << words;
  }
}

struct Refusal {
  std::string what;
  void (*run)(Lanes& lanes, const DeviceStream& stream, std::byte* memory);
  std::string message;
};

TEST(Lanes, RefuseWhatCannotRun) {
  const auto device = std::make_shared<HostDevice>();
  Builder builder;
  const Expr w = builder.input("w", {DType::f32, {3}}, Binding::shared);
  const Expr x = builder.input("x", {DType::f32, {3}}, Binding::per_lane);
  builder.output("y", exp(w) + x);
  const auto executable = Executable::compile(builder.finish(), device);
  const DeviceMemory memory = device->allocate(256);
  const DeviceStream stream = device->make_stream();
  const Refusal kRefusals[] = {
      {"a number that is not there",
       [](Lanes& lanes, const DeviceStream&, std::byte* m) { lanes.bind_input(2, m); },
       "the program has 2 inputs, there is none of number 2"},
      {"no memory",
       [](Lanes& lanes, const DeviceStream&, std::byte*) { lanes.bind_input(0, nullptr); },
       "no memory for input 'w' of the program, f32(3)"},
      {"odd memory",
       [](Lanes& lanes, const DeviceStream&, std::byte* m) { lanes.bind_output(0, m + 1, 12); },
       "the memory of output 'y' and the distance of its lanes must be multiples of 4 bytes"},
      {"odd lanes",
       [](Lanes& lanes, const DeviceStream&, std::byte* m) { lanes.bind_input(1, m, 13); },
       "the memory of input 'x' and the distance of its lanes must be multiples of 4 bytes"},
      {"nothing bound", [](Lanes& lanes, const DeviceStream& s, std::byte*) { lanes.run(s); },
       "input 'w' of the program, f32(3), is not bound: bind it before running"},
      {"an output that is not bound",
       [](Lanes& lanes, const DeviceStream& s, std::byte* m) {
         lanes.bind_input(0, m);
         lanes.bind_input(1, m, 12);
         lanes.run(s);
       },
       "output 'y' of the program, f32(3), is not bound: bind it before running"},
  };
  for (const Refusal& refusal : kRefusals) {
    Lanes lanes(executable, 4);
    try {
      refusal.run(lanes, stream, memory.data);
      ADD_FAILURE() << refusal.what << " was taken";
    } catch (const BadInput& error) {
      EXPECT_EQ(refusal.message, error.what());
    }
  }
  EXPECT_THROW(Lanes(executable, 0), BadInput);
  EXPECT_THROW(Lanes(executable, int64_t{1} << 31), BadInput);
  EXPECT_EQ(0u, device->launched_kernels());
}

}  // namespace
}  // namespace outerloop::exec::cuda
