// How a device executable runs: graphs, lanes, memory, and what it refuses.

#include <gtest/gtest.h>

#include <algorithm>

#include "exec/check.h"
#include "exec/cuda/host_device.h"
#include "exec/sample_programs.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"
#include "support/sample_inputs.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::draw_inputs;
using testing_support::expect_same_bits;
using testing_support::HostDevice;

constexpr size_t kLanes = 2;

// A program of which all lanes lie in device memory.
class BoundLanes {
 public:
  BoundLanes(std::shared_ptr<HostDevice> device, const Program& program, Steps steps)
      : device_(device),
        program_(program),
        executable_(Executable::compile(program, device, {}, steps)),
        lanes_(executable_, kLanes),
        stream_(device->make_stream()) {
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      const size_t bytes = program.type(program.outputs[o].value).bytes();
      outputs_.push_back(device->allocate(bytes * kLanes));
      lanes_.bind_output(static_cast<int>(o), outputs_[o].data, static_cast<int64_t>(bytes));
    }
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      const size_t bytes = program.type(program.inputs[i].value).bytes();
      inputs_.push_back(device->allocate(bytes * kLanes));
      lanes_.bind_input(static_cast<int>(i), inputs_[i].data, static_cast<int64_t>(bytes));
    }
  }

  void give(size_t lane, const std::vector<Tensor>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      const bool shared = program_.inputs[i].binding == Binding::shared;
      if (shared && lane > 0) continue;
      device_->upload(stream_, inputs_[i].data + lane * values[i].bytes(),
                      {values[i].data(), values[i].bytes()});
    }
  }
  std::vector<Tensor> results(size_t lane) {
    std::vector<Tensor> tensors;
    for (size_t o = 0; o < outputs_.size(); ++o) {
      const TensorType& type = program_.type(program_.outputs[o].value);
      Tensor& tensor = tensors.emplace_back(type.dtype, type.shape);
      device_->download(stream_, {tensor.data(), tensor.bytes()},
                        outputs_[o].data + lane * type.bytes());
    }
    device_->synchronize(stream_);
    return tensors;
  }
  // The same, as if nothing had run.
  void forget() {
    for (const DeviceMemory& memory : outputs_) {
      std::fill_n(memory.data, memory.bytes, std::byte{0x11});
    }
  }

  Lanes& lanes() { return lanes_; }
  const DeviceStream& stream() const { return stream_; }
  const Executable& executable() const { return *executable_; }

 private:
  std::shared_ptr<HostDevice> device_;
  const Program& program_;
  std::shared_ptr<const Executable> executable_;
  Lanes lanes_;
  DeviceStream stream_;
  std::vector<DeviceMemory> inputs_, outputs_;
};

class Launches : public ::testing::TestWithParam<Steps> {};

TEST_P(Launches, AndTheirGraphGiveTheSameBitsAndAllocateNothing) {
  const auto device = std::make_shared<HostDevice>();
  const Program program = testing_support::tanh_mlp_gradient(DType::f32, 2);
  BoundLanes bound(device, program, GetParam());
  const std::vector<Tensor> first = draw_inputs(program, {}, 1);
  std::vector<Tensor> second = draw_inputs(program, {}, 2);
  for (size_t i = 0; i < second.size(); ++i) {
    if (program.inputs[i].binding == Binding::shared) second[i] = first[i];
  }
  bound.give(0, first);
  bound.give(1, second);
  const size_t launches = bound.executable().lane_launches() + bound.executable().shared_launches();
  const bool is_one = GetParam() == Steps::one_kernel_if_it_fits;
  EXPECT_EQ(is_one, bound.executable().lane_launches() == 1);
  EXPECT_EQ(is_one, bound.executable().lane_arena_bytes() == 0);
  const DeviceGraph graph = bound.lanes().record(bound.stream());
  EXPECT_EQ(0u, device->launches()) << "recording ran something";
  const size_t allocations = device->allocations();
  const std::vector<Tensor> expected[] = {interpret(program, first), interpret(program, second)};
  for (const bool replay : {true, false, true}) {
    bound.forget();
    const size_t before = device->launches();
    replay ? device->launch(bound.stream(), graph) : bound.lanes().run(bound.stream());
    EXPECT_EQ(launches, device->launches() - before);
    for (size_t lane = 0; lane < kLanes; ++lane) {
      expect_same_bits(expected[lane], bound.results(lane), replay ? "replayed" : "launched");
    }
  }
  EXPECT_EQ(allocations, device->allocations());
}

// A lane of NaN leaves its neighbour alone.
TEST_P(Launches, GiveALaneTheSameBitsWhateverItsNeighbourHolds) {
  const auto device = std::make_shared<HostDevice>();
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
  EXPECT_EQ(0u, device->launches());
}

}  // namespace
}  // namespace outerloop::exec::cuda
