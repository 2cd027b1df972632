#include "exec/cuda/host_device.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>

#include "outerloop/base/error.h"
#include "support/fake_stream.h"

namespace outerloop::testing_support {
namespace {

namespace fs = std::filesystem;
using exec::DeviceFunction;
using exec::DeviceOperand;
using exec::KernelSource;

constexpr size_t kPage = 4096;
constexpr size_t kAlignment = 64;
constexpr std::byte kGuardByte{0xA5};
constexpr std::byte kGarbage{0xFF};  // a NaN in both types, and no index

using HostKernel = bool (*)(const void* operands, unsigned blocks, unsigned threads,
                            size_t shared_bytes);

// A folder that goes with the object.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "outerloop-kernels-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw SystemFailure("no temporary folder");
    folder_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

// Compiles one file; gives what the compiler says where it fails. Without optimisation, which takes
// longer than the kernels of a test run.
std::string compile_file(const fs::path& source, const fs::path& library) {
  const fs::path log = library.string() + ".log";
  const std::string command = fmt::format(
      "g++ -std=c++20 -O0 -mfma -mno-avx512f -ffp-contract=off -fno-strict-aliasing "
      "-fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables -fPIC -shared -Wno-unused "
      "-I'{}/tests' -o '{}' '{}' > '{}' 2>&1",
      OUTERLOOP_SOURCE_DIR, library.string(), source.string(), log.string());
  if (std::system(command.c_str()) == 0) return "";
  std::ifstream text(log);
  return {std::istreambuf_iterator<char>(text), {}};
}

std::shared_ptr<void> open_library(const std::string& source) {
  const Scratch scratch;
  const fs::path file = scratch.folder() / "kernels.cpp", library = scratch.folder() / "kernels.so";
  std::ofstream(file) << source;
  const std::string error = compile_file(file, library);
  if (!error.empty()) throw SystemFailure("kernels do not compile: " + error);
  const std::shared_ptr<void> opened(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL),
                                     [](void* handle) {
                                       if (handle != nullptr) dlclose(handle);
                                     });
  if (opened == nullptr) throw SystemFailure(dlerror());
  return opened;
}

// Devices of this process that ask for the same source share its library.
std::shared_ptr<void> library_of(const std::string& source) {
  struct Known {
    std::mutex mutex;  // held while it is made
    std::shared_ptr<void> library;
  };
  static std::mutex mutex;
  static std::map<std::string, Known> all;
  Known& known = [&]() -> Known& {
    const std::lock_guard lock(mutex);
    return all[source];
  }();
  const std::lock_guard lock(known.mutex);
  if (known.library == nullptr) known.library = open_library(source);
  return known.library;
}

std::string host_source(std::string_view prelude, std::span<const KernelSource> kernels) {
  std::string text = "#include \"exec/cuda/host_shim.h\"\n" + std::string(prelude);
  for (const KernelSource& kernel : kernels) {
    text += kernel.text;
    text += fmt::format(
        "extern \"C\" bool host_{0}(const void* operands, unsigned blocks, unsigned threads,\n"
        "                         unsigned long shared_bytes) {{\n"
        "  return host_launch({0}, operands, blocks, threads, shared_bytes);\n}}\n",
        kernel.name);
  }
  return text;
}

}  // namespace

// Ends where a page ends (within the alignment) between two pages that nobody may touch, so that a
// kernel that reads past it stops at once. What is left of the first page must stay as it was.
struct HostDevice::Memory {
  explicit Memory(size_t bytes)
      : size((bytes + kAlignment - 1) / kAlignment * kAlignment),
        mapped((size + kPage - 1) / kPage * kPage + 2 * kPage),
        pages(static_cast<std::byte*>(
            mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    if (pages == MAP_FAILED) throw SystemFailure("out of memory");
    std::memset(pages + kPage, static_cast<int>(kGuardByte), mapped - 2 * kPage);
    std::memset(data(), static_cast<int>(kGarbage), bytes);
    mprotect(pages, kPage, PROT_NONE);
    mprotect(pages + mapped - kPage, kPage, PROT_NONE);
    used = bytes;
  }
  ~Memory() { munmap(pages, mapped); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::byte* data() const { return pages + mapped - kPage - size; }
  bool whole() const {
    const auto is_guard = [](std::byte b) { return b == kGuardByte; };
    return std::all_of(pages + kPage, data(), is_guard) &&
           std::all_of(data() + used, data() + size, is_guard);
  }

  size_t size, mapped, used = 0;
  std::byte* pages;
};

struct HostDevice::Kernel {
  KernelSource source;
  std::shared_ptr<void> library;
  HostKernel entry = nullptr;
};

struct HostDevice::Launch {
  DeviceFunction function;
  int64_t blocks;
  int threads;
  std::vector<DeviceOperand> operands;
};

struct HostDevice::Recording {
  size_t launches = 0;
  std::vector<std::function<void()>> work;
  std::vector<std::shared_ptr<Kernel>> kernels;
};

struct HostDevice::Stream : FakeStream {
  bool recording = false;
  Recording recorded;
};

struct HostDevice::Streams {
  std::vector<std::weak_ptr<Stream>> all;
  void drain() const {
    for (const auto& known : all) {
      if (const auto stream = known.lock()) stream->drain();
    }
  }
};

HostDevice::HostDevice(Work work, std::string identity)
    : work_(work), identity_(std::move(identity)), streams_(std::make_shared<Streams>()) {}
HostDevice::~HostDevice() = default;

// As the driver does, waits for all work before memory goes.
exec::DeviceMemory HostDevice::allocate(size_t bytes) {
  const std::shared_ptr<Memory> memory(new Memory(bytes), [streams = streams_](Memory* held) {
    streams->drain();
    delete held;
  });
  std::erase_if(memory_, [](const auto& known) { return known.expired(); });
  memory_.push_back(memory);
  ++allocations_;
  return counted({memory, memory->data(), bytes});
}

exec::PinnedMemory HostDevice::allocate_pinned(size_t bytes) {
  auto memory = std::make_shared<std::vector<std::byte>>(bytes, kGarbage);
  std::erase_if(pinned_, [](const auto& known) { return known.expired(); });
  pinned_.push_back(memory);
  ++allocations_;
  return {memory, *memory};
}

bool HostDevice::is_pinned(std::span<const std::byte> host) const {
  const auto holds = [&](const auto& known) {
    const auto held = known.lock();
    return held != nullptr && host.data() >= held->data() &&
           host.data() + host.size() <= held->data() + held->size();
  };
  return std::ranges::any_of(pinned_, holds);
}

template <class Copy>
void HostDevice::transfer(const exec::DeviceStream& stream, std::span<const std::byte> host,
                          Copy copy) {
  const bool waits = !is_pinned(host);
  copied_bytes_ += host.size();
  if (!waits && work_ == Work::later) return enqueue(stream, copy);
  if (waits) {
    ++waits_;
    static_cast<Stream*>(stream.handle.get())->drain();
  }
  copy();
}

exec::DeviceStream HostDevice::make_stream() {
  const auto stream = std::make_shared<Stream>();
  streams_->all.push_back(stream);
  return {stream};
}
void HostDevice::upload(const exec::DeviceStream& stream, std::byte* to,
                        std::span<const std::byte> from) {
  if (!from.empty()) transfer(stream, from, [=] { std::memcpy(to, from.data(), from.size()); });
}
void HostDevice::download(const exec::DeviceStream& stream, std::span<std::byte> to,
                          const std::byte* from) {
  if (!to.empty()) transfer(stream, to, [=] { std::memcpy(to.data(), from, to.size()); });
}
void HostDevice::copy(const exec::DeviceStream& stream, std::byte* to, const std::byte* from,
                      size_t bytes) {
  enqueue(stream, [=] { std::memcpy(to, from, bytes); });
}
void HostDevice::enqueue(const exec::DeviceStream& stream, std::function<void()> work) {
  auto& queue = *static_cast<Stream*>(stream.handle.get());
  if (queue.recording) {
    queue.recorded.work.push_back(std::move(work));
  } else if (work_ == Work::later) {
    queue.push(std::move(work));
  } else {
    work();
  }
}
void HostDevice::count_launch(const exec::DeviceStream& stream) {
  auto& queue = *static_cast<Stream*>(stream.handle.get());
  queue.recording ? void(++queue.recorded.launches) : count_kernels(1);
}
void HostDevice::synchronize(const exec::DeviceStream& stream) {
  ++waits_;
  static_cast<Stream*>(stream.handle.get())->drain();
  for (const auto& memory : memory_) {
    const auto held = memory.lock();
    EXPECT_TRUE(held == nullptr || held->whole()) << "a kernel wrote outside of its memory";
  }
}

std::vector<DeviceFunction> HostDevice::compile(std::string_view prelude,
                                                std::span<const KernelSource> kernels) {
  prelude_ = prelude;
  std::vector<DeviceFunction> functions;
  for (const KernelSource& source : kernels) {
    std::shared_ptr<Kernel>& kernel = kernels_[source.name];
    if (kernel == nullptr) {
      kernel = std::make_shared<Kernel>(Kernel{source});
      pending_.push_back(kernel);
    }
    EXPECT_EQ(kernel->source.text, source.text) << "two kernels are named " << source.name;
    functions.push_back({kernel, kernel.get(), source.shared_bytes});
  }
  return functions;
}

// In two parts side by side, where there is enough to share out.
void HostDevice::build() {
  const size_t parts = std::clamp<size_t>(pending_.size() / 8, 1, 2);
  std::vector<std::future<void>> built;
  for (size_t part = 0; part < parts; ++part) {
    built.push_back(std::async(std::launch::async, [this, part, parts] {
      std::vector<KernelSource> sources;
      for (size_t i = part; i < pending_.size(); i += parts) sources.push_back(pending_[i]->source);
      const auto library = library_of(host_source(prelude_, sources));
      for (size_t i = part; i < pending_.size(); i += parts) {
        Kernel& kernel = *pending_[i];
        kernel.library = library;
        kernel.entry = reinterpret_cast<HostKernel>(
            dlsym(library.get(), ("host_" + kernel.source.name).c_str()));
      }
    }));
  }
  for (std::future<void>& part : built) part.wait();
  for (std::future<void>& part : built) part.get();
  pending_.clear();
}

void HostDevice::run(const Launch& launch) {
  const auto& kernel = *static_cast<const Kernel*>(launch.function.handle);
  // What a block shares is static, and one for all devices.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  EXPECT_TRUE(kernel.entry(launch.operands.data(), static_cast<unsigned>(launch.blocks),
                           static_cast<unsigned>(launch.threads), launch.function.shared_bytes))
      << "threads of a block met different barriers, or wrote behind their shared memory";
}

void HostDevice::launch(const exec::DeviceStream& stream, const DeviceFunction& function,
                        int64_t blocks, int threads, std::span<const DeviceOperand> operands) {
  auto& queue = *static_cast<Stream*>(stream.handle.get());
  const auto kernel = std::static_pointer_cast<Kernel>(function.owner);
  if (queue.recording) queue.recorded.kernels.push_back(kernel);
  if (!queue.recording && kernel->entry == nullptr) build();
  count_launch(stream);
  enqueue(stream,
          [this, launch = Launch{function, blocks, threads, {operands.begin(), operands.end()}}] {
            run(launch);
          });
}

exec::DeviceEvent HostDevice::make_event() {
  return {std::make_shared<FakeEvent>()};
}
void HostDevice::record(const exec::DeviceEvent& event, const exec::DeviceStream& stream) {
  enqueue(stream, static_cast<FakeEvent*>(event.handle.get())->record());
}
bool HostDevice::reached(const exec::DeviceEvent& event) {
  return static_cast<const FakeEvent*>(event.handle.get())->reached();
}
void HostDevice::wait(const exec::DeviceStream& stream, const exec::DeviceEvent& event) {
  enqueue(stream, static_cast<const FakeEvent*>(event.handle.get())->wait());
}

void HostDevice::begin_recording(const exec::DeviceStream& stream) {
  static_cast<Stream*>(stream.handle.get())->recording = true;
}
exec::DeviceGraph HostDevice::end_recording(const exec::DeviceStream& stream) {
  auto& queue = *static_cast<Stream*>(stream.handle.get());
  queue.recording = false;
  const size_t launches = queue.recorded.launches;
  return {std::make_shared<Recording>(std::exchange(queue.recorded, {})), launches};
}
void HostDevice::launch(const exec::DeviceStream& stream, const exec::DeviceGraph& graph) {
  ++graphs_;
  count_kernels(graph.kernels);
  const auto recording = std::static_pointer_cast<const Recording>(graph.handle);
  const auto is_new = [](const auto& kernel) { return kernel->entry == nullptr; };
  if (std::ranges::any_of(recording->kernels, is_new)) build();
  const auto run_all = [](const Recording& all) {
    for (const auto& work : all.work) work();
  };
  if (work_ == Work::at_once) return run_all(*recording);
  enqueue(stream, [recording, run_all] { run_all(*recording); });
}

}  // namespace outerloop::testing_support
