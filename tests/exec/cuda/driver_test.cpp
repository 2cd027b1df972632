// The device behind the CUDA driver, on a driver that is a stand-in: every call, every handle, and
// what is said where something is missing.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "exec/cuda/fake_driver.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"
#include "outerloop/ops/ops.h"

namespace outerloop::exec::cuda {
namespace {

FakeDriver& driver() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  const auto find = reinterpret_cast<FakeDriver* (*)()>(dlsym(library, "fake_driver"));
  return *find();
}

// Set as long as the object lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

class OnFakeDriver : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  Variable cache_{"OUTERLOOP_CACHE", folder_.path().string()};
};

Program small_program() {
  Builder builder;
  const Expr x = builder.input("x", {DType::f32, {1000}}, Binding::per_lane);
  builder.output("y", exp(x));
  builder.output("total", sum(x));
  return builder.finish();
}

std::string message_of_opening(int ordinal) {
  try {
    open_device(ordinal);
  } catch (const BadInput& error) {
    return error.what();
  }
  return "";
}

TEST_F(OnFakeDriver, SaysWhatIsMissing) {
  const Variable two("FAKE_CUDA_DEVICES", "2");
  EXPECT_EQ("there is no GPU 2: this process sees 2 (CUDA_VISIBLE_DEVICES chooses)",
            message_of_opening(2));
  const Variable broken("FAKE_CUDA_INIT", "999");
  EXPECT_EQ(
      "the NVIDIA driver does not start, CUDA_ERROR (something else): install an NVIDIA driver for "
      "CUDA 12.8 or newer (nvidia-smi shows it), or set runtime.device=cpu",
      message_of_opening(0));
  EXPECT_EQ(0, driver().live);
}

TEST_F(OnFakeDriver, LaunchesGraphsAndGivesEverythingBack) {
  FakeDriver& fake = driver();
  ASSERT_EQ(0, fake.live);
  {
    const std::shared_ptr<Device> device = open_device(0);
    EXPECT_EQ("Fake 0 (sm_90)", device->name());
    EXPECT_EQ("GPU-00112233-4455-6677-8899-aabbccddee00", device->identity());
    std::shared_ptr<const Executable> executable;
    try {
      executable = Executable::compile(small_program(), device);
    } catch (const BadInput& missing) {
      GTEST_SKIP() << missing.what();
    }
    constexpr int64_t kLanes = 5;
    Lanes lanes(executable, kLanes);
    const DeviceStream stream = device->make_stream();
    const DeviceMemory memory = device->allocate(3 * kLanes * 4000);
    lanes.bind_input(0, memory.data, 4000);
    lanes.bind_output(0, memory.data + kLanes * 4000, 4000);
    lanes.bind_output(1, memory.data + 2 * kLanes * 4000, 4);
    lanes.run(stream);
    const std::vector<FakeLaunch> direct = std::exchange(fake.launches, {});
    ASSERT_EQ(executable->lane_launches(), direct.size());
    for (const FakeLaunch& launch : direct) {
      EXPECT_EQ(0u, launch.blocks % kLanes);
      EXPECT_EQ(memory.data, launch.first_operand.base);
      EXPECT_EQ(4000, launch.first_operand.lane_stride);
    }
    const DeviceGraph graph = lanes.record(stream);
    EXPECT_TRUE(fake.launches.empty()) << "recording launched something";
    device->launch(stream, graph);
    ASSERT_EQ(direct.size(), fake.launches.size());
    for (size_t i = 0; i < direct.size(); ++i) {
      EXPECT_EQ(direct[i].function, fake.launches[i].function);
      EXPECT_EQ(direct[i].blocks, fake.launches[i].blocks);
    }
    device->synchronize(stream);
  }
  EXPECT_EQ(0, fake.live);
}

TEST_F(OnFakeDriver, TellsWhatAStreamHasReached) {
  {
    const std::shared_ptr<Device> device = open_device(0);
    const DeviceStream stream = device->make_stream();
    const DeviceEvent event = device->make_event();
    EXPECT_TRUE(device->reached(event)) << "never recorded";
    device->record(event, stream);
    EXPECT_FALSE(device->reached(event));
    EXPECT_TRUE(device->reached(event));
    device->wait(stream, event);
  }
  EXPECT_EQ(0, driver().live);
}

TEST_F(OnFakeDriver, CopiesUpAcrossAndDown) {
  {
    const std::shared_ptr<Device> device = open_device(0);
    const DeviceStream stream = device->make_stream();
    const PinnedMemory from = device->allocate_pinned(64), to = device->allocate_pinned(64);
    const DeviceMemory first = device->allocate(64), second = device->allocate(64);
    std::ranges::fill(from.bytes, std::byte{7});
    std::ranges::fill(to.bytes, std::byte{0});
    device->upload(stream, first.data, from.bytes);
    device->copy(stream, second.data, first.data, 64);
    device->download(stream, to.bytes, second.data);
    device->synchronize(stream);
    EXPECT_TRUE(std::ranges::equal(to.bytes, from.bytes));
  }
  EXPECT_EQ(0, driver().live);
}

TEST_F(OnFakeDriver, KnowsWhatItHolds) {
  const std::shared_ptr<Device> device = open_device(0);
  EXPECT_EQ(0u, device->held_bytes());
  DeviceMemory first = device->allocate(64);
  {
    const DeviceMemory second = device->allocate(100), same = second, none = device->allocate(0);
    const PinnedMemory of_the_host = device->allocate_pinned(32);
    EXPECT_EQ(164u, device->held_bytes());
  }
  EXPECT_EQ(64u, device->held_bytes());
  first = {};
  EXPECT_EQ(0u, device->held_bytes());
}

TEST_F(OnFakeDriver, TakesKernelsFromDiskTheSecondTime) {
  const auto compile = [] { return Executable::compile(small_program(), open_device(0)); };
  size_t kernels = 0;
  try {
    kernels = compile()->distinct_kernels();
  } catch (const BadInput& missing) {
    GTEST_SKIP() << missing.what();
  }
  std::map<std::filesystem::path, std::filesystem::file_time_type> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    files[entry.path()] = entry.last_write_time();
  }
  EXPECT_EQ(kernels, files.size());
  compile();
  for (const auto& [file, time] : files) EXPECT_EQ(time, last_write_time(file)) << file;
}

TEST_F(OnFakeDriver, NamesTheCallThatFails) {
  const std::shared_ptr<Device> device = open_device(0);
  const Variable little("FAKE_CUDA_MEMORY", "1000");
  try {
    device->allocate(1001);
    ADD_FAILURE() << "1001 bytes were given";
  } catch (const SystemFailure& error) {
    const std::string words = error.what();
    EXPECT_NE(std::string::npos, words.find("cuMemAlloc")) << words;
    EXPECT_NE(std::string::npos, words.find("CUDA_ERROR_OUT_OF_MEMORY (out of memory)")) << words;
    EXPECT_NE(std::string::npos, words.find("driver_device.cpp")) << words;
  }
}

}  // namespace
}  // namespace outerloop::exec::cuda
