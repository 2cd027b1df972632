// The device behind the CUDA driver, on a driver that is a stand-in: every call, every handle, and
// what is said where something is missing.

#include "exec/cuda/driver.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "exec/cuda/cuda_version.h"
#include "exec/cuda/fake_driver.h"
#include "exec/cuda/kernel_maker.h"
#include "exec/cuda/kernel_pack.h"
#include "exec/cuda/nvrtc.h"
#include "exec/cuda/ptx_linker.h"
#include "exec/cuda/small_program.h"
#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda.h"
#include "support/message_of.h"
#include "support/variable.h"

namespace outerloop::exec::cuda {
namespace {

using testing_support::Variable;

// What the stand-in has seen.
FakeDriver& seen() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  const auto find = reinterpret_cast<FakeDriver* (*)()>(dlsym(library, "fake_driver"));
  return *find();
}

class OnFakeDriver : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  Variable cache_{"OUTERLOOP_CACHE", folder_.path().string()};
};

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
  EXPECT_EQ(0, seen().live);
}

TEST_F(OnFakeDriver, IsNotThereOrDoesNotWork) {
  EXPECT_EQ(std::vector<std::string>{"Fake"}, visible_devices());
  {
    const Variable without("FAKE_CUDA_INIT", std::to_string(CUDA_ERROR_NO_DEVICE));
    EXPECT_TRUE(visible_devices().empty());
    EXPECT_CONTAINS(message_of_opening(0), "the NVIDIA driver finds no GPU, ");
  }
  const Variable mismatch("FAKE_CUDA_INIT", std::to_string(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH));
  EXPECT_CONTAINS(message_of<BadInput>([] { visible_devices(); }),
                  "the NVIDIA driver does not start, CUDA_ERROR (something else): ");
}

TEST_F(OnFakeDriver, LaunchesGraphsAndGivesEverythingBack) {
  FakeDriver& fake = seen();
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
    EXPECT_EQ(direct.size(), device->launched_kernels());
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
    EXPECT_EQ(2 * direct.size(), device->launched_kernels());
    device->begin_recording(stream);
    lanes.run(stream);
    device->copy(stream, memory.data, memory.data + 64, 64);
    EXPECT_EQ(direct.size(), device->end_recording(stream).kernels) << "a copy is no kernel";
    EXPECT_EQ(2 * direct.size(), device->launched_kernels()) << "recording launched something";
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
  EXPECT_EQ(0, seen().live);
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
  EXPECT_EQ(0, seen().live);
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
  EXPECT_EQ(164u, device->most_held_bytes());
}

TEST_F(OnFakeDriver, TakesKernelsFromDiskTheSecondTime) {
  const auto compile = [] { return Executable::compile(small_program(), open_device(0)); };
  try {
    compile();
  } catch (const BadInput& missing) {
    GTEST_SKIP() << missing.what();
  }
  const auto written = [&] {
    std::map<std::filesystem::path, std::filesystem::file_time_type> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      files[entry.path()] = entry.last_write_time();
    }
    return files;
  };
  const auto first = written();
  EXPECT_FALSE(first.empty());
  compile();
  EXPECT_EQ(first, written());
}

// A machine with the driver and a pack alone.
class OfAPack : public OnFakeDriver {
 protected:
  static constexpr Architecture kGpu{9, 0};
  static constexpr std::string_view kPrelude = "what stands before";

  void SetUp() override {
    driver_.cuDevicePrimaryCtxRetain(&context_, 0);
    seen().linked.clear();
    write({{"first", "PTX of first"}, {"second", "PTX of second"}});
  }
  void TearDown() override {
    driver_.cuDevicePrimaryCtxRelease(0);
    EXPECT_EQ(0, seen().live);
  }

  void write(const PtxByName& kernels) {
    std::filesystem::create_directories(pack_.parent_path());
    write_kernel_pack(pack_, pack_compiler("13.0", kPrelude), kernels);
  }
  std::vector<std::string> code_of(const std::vector<KernelSource>& kernels,
                                   const Architecture& gpu = kGpu,
                                   std::string_view prelude = kPrelude) {
    PtxLinker linker(driver_, context_, gpu, pack_);
    return machine_code(linker, gpu, prelude, kernels);
  }

  const std::filesystem::path pack_ = folder_.path() / "pack" / "kernels.pack";
  const std::vector<KernelSource> both_{{.name = "second"}, {.name = "first"}};
  Driver driver_;
  CUcontext context_ = nullptr;
};

TEST_F(OfAPack, KernelsAreLinkedOnceAndThenFromDisk) {
  const std::vector<std::string> expected{"\177ELFPTX of second", "\177ELFPTX of first"};
  EXPECT_EQ(expected, code_of(both_));
  std::vector<std::string> linked = std::exchange(seen().linked, {});
  std::ranges::sort(linked);
  EXPECT_EQ((std::vector<std::string>{"PTX of first", "PTX of second"}), linked);
  EXPECT_EQ(expected, code_of(both_));
  EXPECT_TRUE(seen().linked.empty()) << "linked again";
  const Variable newer("FAKE_CUDA_VERSION", "13020");
  EXPECT_EQ(expected, code_of(both_));
  EXPECT_EQ(2u, seen().linked.size()) << "of another driver";
}

TEST_F(OfAPack, SaysWhatItIs) {
  const DeviceCompiler about = PtxLinker(driver_, context_, kGpu, pack_).about();
  EXPECT_EQ("the 2 kernels of " + pack_.string(), about.name);
  EXPECT_FALSE(about.takes_any);
}

TEST_F(OfAPack, RefusesWhatItCannotMake) {
  const auto refusal = [&](const auto& ask) -> std::string {
    try {
      ask();
    } catch (const BadInput& error) {
      return error.what();
    }
    return "";
  };
  const std::string advice =
      "install the CUDA toolkit's NVRTC library (libnvrtc.so.12 or newer) and put its folder into "
      "LD_LIBRARY_PATH, or set runtime.device=cpu";
  EXPECT_EQ("2 of 3 kernels are not in " + pack_.string() +
                ", third the first of them: it has those of the shipped configs with the sizes "
                "that they give; for others " +
                advice,
            refusal([&] {
              code_of({{.name = "third"}, {.name = "first"}, {.name = "fourth"}});
            }));
  EXPECT_TRUE(seen().linked.empty()) << "some were made all the same";
  EXPECT_EQ(pack_.string() + " has the kernels of another build of this program: " + advice,
            refusal([&] { code_of(both_, kGpu, "something else"); }));
  EXPECT_EQ("the GPU has compute capability 7.5, and the kernels of " + pack_.string() +
                " need 8.0 or newer: " + advice,
            refusal([&] {
              code_of(both_, {7, 5});
            }));
  {
    const Variable none("FAKE_CUDA_LINKER", std::to_string(CUDA_ERROR_JIT_COMPILER_NOT_FOUND));
    EXPECT_EQ(
        "the driver is here without its libnvidia-ptxjitcompiler.so.1, which assembles kernels: "
        "install all of the driver, start a container with "
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility, or set runtime.device=cpu",
        refusal([&] { code_of(both_); }));
  }
  const Variable old("FAKE_CUDA_VERSION", "12040");
  EXPECT_EQ("the driver is of CUDA 12.4, and the kernels of " + pack_.string() +
                " need one of CUDA 12.8 or newer: install it, or set runtime.device=cpu",
            refusal([&] { code_of(both_); }));
}

TEST_F(OfAPack, HasTheWordsOfTheAssembler) {
  write({{"first", "wrong"}});
  try {
    code_of({{.name = "first"}});
    ADD_FAILURE() << "it was linked";
  } catch (const SystemFailure& error) {
    const std::string words = error.what();
    EXPECT_NE(std::string::npos, words.find("cuLinkAddData")) << words;
    EXPECT_NE(std::string::npos, words.find("kernel first: ptxas fatal: what is this")) << words;
  }
}

TEST(Compiler, MakesNoCodeThatTheDriverDoesNotLoad) {
  try {
    EXPECT_TRUE(Nvrtc(12).version().starts_with("12.")) << "code of a later toolkit";
  } catch (const BadInput& error) {
    const std::string words = error.what();
    const bool is_none = words.find("which cannot be loaded") != std::string::npos;
    EXPECT_TRUE(is_none || words.find("of CUDA 12, does not load: install") != std::string::npos)
        << words;
  }
}

TEST(Compiler, IsRefusedWhereItMakesNoCodeForTheGpu) {
  const Variable any_toolkit("FAKE_CUDA_VERSION", "99000"), much_later("FAKE_CUDA_MAJOR", "99");
  const std::string words = message_of<BadInput>([] { open_device(0)->compiler(); });
  const bool is_none = words.find("which cannot be loaded") != std::string::npos;
  EXPECT_TRUE(is_none || words.find(" of the CUDA toolkit here makes no code for this GPU, of "
                                    "compute capability 99.0: install") != std::string::npos)
      << words;
}

TEST(ToolkitLibraries, AreNotLaterThanTheDriver) {
  const std::vector<std::string> of_12{"libcublas.so.12", "libcublas.so",
                                       "/usr/local/cuda/lib64/libcublas.so"};
  EXPECT_EQ(of_12, library_names("cublas", 12));
  EXPECT_EQ("libcublas.so.13", library_names("cublas", 13)[0]);
  EXPECT_EQ("libcublas.so.13", library_names("cublas", 14)[0]) << "none was tried";
}

TEST_F(OnFakeDriver, SaysWhatToDoWhereItsMemoryIsFull) {
  const std::shared_ptr<Device> device = open_device(0);
  const DeviceMemory held = device->allocate(64);
  const Variable little("FAKE_CUDA_MEMORY", "1000");
  EXPECT_EQ(
      "the memory of Fake 0 (sm_90) is full: 1001 bytes were asked for beside the 64 that this "
      "process has there; lower outer.meta_batch, set inner.segment=1, or use more GPUs",
      message_of<SystemFailure>([&] { device->allocate(1001); }));
}

TEST_F(OnFakeDriver, NamesTheCallThatFails) {
  const std::shared_ptr<Device> device = open_device(0);
  const DeviceStream stream = device->make_stream();
  const Variable busy("FAKE_CUDA_CAPTURE", "900");
  const std::string words = message_of<SystemFailure>([&] { device->begin_recording(stream); });
  EXPECT_CONTAINS(words, "cuStreamBeginCapture");
  EXPECT_CONTAINS(words, "CUDA_ERROR (something else)");
  EXPECT_CONTAINS(words, "driver_device.cpp");
}

}  // namespace
}  // namespace outerloop::exec::cuda
