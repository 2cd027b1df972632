// A GPU behind the CUDA driver.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "exec/cuda/cublas.h"
#include "exec/cuda/driver.h"
#include "exec/cuda/kernel_maker.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::exec::cuda {
namespace {

#define OL_CUDA(expression) \
  OL_CHECKED(expression, [this](CUresult failure) { return driver_->describe(failure); })

template <class Handle>
Handle as(const std::shared_ptr<void>& handle) {
  return static_cast<Handle>(handle.get());
}
CUdeviceptr address(const std::byte* data) {
  return reinterpret_cast<CUdeviceptr>(data);
}

// The driver with one GPU's primary context. Handles keep it alive.
struct Context {
  explicit Context(int ordinal) {
    const auto describe = [this](CUresult failure) { return driver.describe(failure); };
    int count = 0;
    OL_CHECKED(driver.cuDeviceGetCount(&count), describe);
    if (ordinal < 0 || ordinal >= count) {
      throw BadInput(
          fmt::format("there is no GPU {}: this process sees {} (CUDA_VISIBLE_DEVICES chooses)",
                      ordinal, count));
    }
    OL_CHECKED(driver.cuDeviceGet(&device, ordinal), describe);
    OL_CHECKED(driver.cuDevicePrimaryCtxRetain(&context, device), describe);
  }
  ~Context() {
    if (context != nullptr) driver.cuDevicePrimaryCtxRelease(device);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Driver driver;
  CUdevice device = 0;
  CUcontext context = nullptr;
};

class DriverDevice : public Device {
 public:
  DriverDevice(int ordinal, Products products)
      : context_(std::make_shared<const Context>(ordinal)), driver_(&context_->driver) {
    std::array<char, 256> name{};
    OL_CUDA(driver_->cuDeviceGetName(name.data(), static_cast<int>(name.size()), context_->device));
    architecture_ = {attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                     attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)};
    name_ = fmt::format("{} {} ({})", name.data(), ordinal, architecture_.name());
    identity_ = identity_of(context_->device);
    limits_.threads_per_block = attribute(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    limits_.blocks = attribute(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
    limits_.shared_bytes =
        static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK));
    limits_.shared_bytes_on_request =
        static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
    if (products != Products::ordered) open_library(products);
  }

  std::string name() const override { return name_; }
  std::string identity() const override { return identity_; }
  DeviceLimits limits() const override { return limits_; }
  DeviceCompiler compiler() override { return maker().about(); }

  DeviceMemory allocate(size_t bytes) override {
    if (bytes == 0) return {};
    use();
    CUdeviceptr data = 0;
    const CUresult allocation = driver_->cuMemAlloc(&data, bytes);
    if (allocation == CUDA_ERROR_OUT_OF_MEMORY) throw_full(bytes);
    OL_CUDA(allocation);
    return counted({owner(reinterpret_cast<void*>(data),
                          [](const Driver& driver, void* p) {
                            driver.cuMemFree(reinterpret_cast<CUdeviceptr>(p));
                          }),
                    reinterpret_cast<std::byte*>(data), bytes});
  }

  PinnedMemory allocate_pinned(size_t bytes) override {
    if (bytes == 0) return {};
    use();
    void* data = nullptr;
    OL_CUDA(driver_->cuMemAllocHost(&data, bytes));
    return {owner(data, [](const Driver& driver, void* p) { driver.cuMemFreeHost(p); }),
            {static_cast<std::byte*>(data), bytes}};
  }

  DeviceStream make_stream() override {
    use();
    CUstream stream = nullptr;
    OL_CUDA(driver_->cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    return {owner(stream, [](const Driver& driver, void* s) {
      driver.cuStreamDestroy(static_cast<CUstream>(s));
    })};
  }
  void upload(const DeviceStream& stream, std::byte* to, std::span<const std::byte> from) override {
    if (from.empty()) return;
    use();
    OL_CUDA(driver_->cuMemcpyHtoDAsync(address(to), from.data(), from.size(),
                                       as<CUstream>(stream.handle)));
  }
  void download(const DeviceStream& stream, std::span<std::byte> to,
                const std::byte* from) override {
    if (to.empty()) return;
    use();
    OL_CUDA(driver_->cuMemcpyDtoHAsync(to.data(), address(from), to.size(),
                                       as<CUstream>(stream.handle)));
  }
  void copy(const DeviceStream& stream, std::byte* to, const std::byte* from,
            size_t bytes) override {
    if (bytes == 0) return;
    use();
    OL_CUDA(
        driver_->cuMemcpyDtoDAsync(address(to), address(from), bytes, as<CUstream>(stream.handle)));
  }
  void synchronize(const DeviceStream& stream) override {
    use();
    OL_CUDA(driver_->cuStreamSynchronize(as<CUstream>(stream.handle)));
  }

  std::vector<DeviceFunction> compile(std::string_view prelude,
                                      std::span<const KernelSource> kernels) override {
    const std::vector<std::string> code = machine_code(maker(), architecture_, prelude, kernels);
    use();
    std::vector<DeviceFunction> functions;
    for (size_t k = 0; k < kernels.size(); ++k) {
      CUmodule module = nullptr;
      OL_CUDA(driver_->cuModuleLoadData(&module, code[k].data()));
      const auto held = owner(module, [](const Driver& driver, void* m) {
        driver.cuModuleUnload(static_cast<CUmodule>(m));
      });
      CUfunction function = nullptr;
      OL_CUDA(driver_->cuModuleGetFunction(&function, module, kernels[k].name.c_str()));
      if (kernels[k].shared_bytes > 0) {
        OL_CUDA(driver_->cuFuncSetAttribute(function,
                                            CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                            static_cast<int>(kernels[k].shared_bytes)));
      }
      functions.push_back({held, function, kernels[k].shared_bytes});
    }
    return functions;
  }

  void launch(const DeviceStream& stream, const DeviceFunction& function, int64_t blocks,
              int threads, std::span<const DeviceOperand> operands) override {
    use();
    std::array<void*, 1> arguments{const_cast<DeviceOperand*>(operands.data())};
    OL_CUDA(driver_->cuLaunchKernel(
        static_cast<CUfunction>(function.handle), static_cast<unsigned>(blocks), 1, 1,
        static_cast<unsigned>(threads), 1, 1, static_cast<unsigned>(function.shared_bytes),
        as<CUstream>(stream.handle), arguments.data(), nullptr));
    count_launch(stream);
  }

  DeviceEvent make_event() override {
    use();
    CUevent event = nullptr;
    OL_CUDA(driver_->cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    return {owner(event, [](const Driver& driver, void* e) {
      driver.cuEventDestroy(static_cast<CUevent>(e));
    })};
  }
  void record(const DeviceEvent& event, const DeviceStream& stream) override {
    use();
    OL_CUDA(driver_->cuEventRecord(as<CUevent>(event.handle), as<CUstream>(stream.handle)));
  }
  bool reached(const DeviceEvent& event) override {
    use();
    const CUresult event_query = driver_->cuEventQuery(as<CUevent>(event.handle));
    if (event_query == CUDA_ERROR_NOT_READY) return false;
    OL_CUDA(event_query);
    return true;
  }
  void wait(const DeviceStream& stream, const DeviceEvent& event) override {
    use();
    OL_CUDA(driver_->cuStreamWaitEvent(as<CUstream>(stream.handle), as<CUevent>(event.handle), 0));
  }

  bool multiplies() const override { return cublas_ != nullptr; }
  void multiply(const DeviceStream& stream, const DeviceProduct& product, int64_t lanes,
                const DeviceOperand& a, const DeviceOperand& b, const DeviceOperand& c) override {
    use();
    cublas_->multiply(stream.handle.get(), product, lanes, a, b, c);
    count_launch(stream);
  }

  void begin_recording(const DeviceStream& stream) override {
    use();
    if (cublas_ != nullptr) make_any_product(stream);
    OL_CUDA(driver_->cuStreamBeginCapture(as<CUstream>(stream.handle),
                                          CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    recording_ = stream.handle.get();
  }
  DeviceGraph end_recording(const DeviceStream& stream) override {
    use();
    recording_ = nullptr;
    CUgraph graph = nullptr;
    OL_CUDA(driver_->cuStreamEndCapture(as<CUstream>(stream.handle), &graph));
    const auto held = owner(graph, [](const Driver& driver, void* g) {
      driver.cuGraphDestroy(static_cast<CUgraph>(g));
    });
    CUgraphExec executable = nullptr;
    OL_CUDA(driver_->cuGraphInstantiate(&executable, graph, 0));
    return {.handle = owner(executable,
                            [](const Driver& driver, void* g) {
                              driver.cuGraphExecDestroy(static_cast<CUgraphExec>(g));
                            }),
            .kernels = kernels_of(graph)};
  }
  void launch(const DeviceStream& stream, const DeviceGraph& graph) override {
    use();
    OL_CUDA(driver_->cuGraphLaunch(as<CUgraphExec>(graph.handle), as<CUstream>(stream.handle)));
    count_kernels(graph.kernels);
  }

 private:
  using Release = void (*)(const Driver& driver, void* handle);

  void use() const { OL_CUDA(driver_->cuCtxSetCurrent(context_->context)); }

  [[noreturn]] void throw_full(size_t bytes) const {
    throw CudaFailure(
        fmt::format("the memory of {} is full: {} bytes were asked for beside the {} that this "
                    "process has there; lower outer.meta_batch, set inner.segment=1, or use more "
                    "GPUs",
                    name_, bytes, held_bytes()));
  }

  // What is recorded counts when its graph is launched.
  void count_launch(const DeviceStream& stream) {
    if (recording_ == nullptr || stream.handle.get() != recording_) count_kernels(1);
  }

  size_t kernels_of(CUgraph graph) const {
    size_t count = 0;
    OL_CUDA(driver_->cuGraphGetNodes(graph, nullptr, &count));
    std::vector<CUgraphNode> nodes(count);
    OL_CUDA(driver_->cuGraphGetNodes(graph, nodes.data(), &count));
    return static_cast<size_t>(std::ranges::count_if(nodes, [this](CUgraphNode node) {
      CUgraphNodeType type{};
      OL_CUDA(driver_->cuGraphNodeGetType(node, &type));
      return type == CU_GRAPH_NODE_TYPE_KERNEL;
    }));
  }

  void open_library(Products products) {
    const DeviceMemory workspace = allocate(Cublas::kWorkspaceBytes);
    int version = 0;
    OL_CUDA(driver_->cuDriverGetVersion(&version));
    cublas_ = {new Cublas(products, workspace, version), [context = context_](Cublas* library) {
                 context->driver.cuCtxSetCurrent(context->context);
                 delete library;
               }};
    name_ += ", " + cublas_->name();
  }

  // A library's first product may allocate or wait, which a stream that records refuses.
  void make_any_product(const DeviceStream& stream) {
    constexpr DeviceProduct kOne{.m = 1, .n = 1, .k = 1, .a_row = 1, .b_k = 1, .c_row = 1};
    constexpr size_t kApart = 256;
    const DeviceMemory memory = allocate(3 * kApart);
    cublas_->multiply(stream.handle.get(), kOne, 1, {memory.data}, {memory.data + kApart},
                      {memory.data + 2 * kApart});
    synchronize(stream);
  }

  // As nvidia-smi writes it.
  std::string identity_of(CUdevice device) const {
    CUuuid uuid{};
    OL_CUDA(driver_->uuid_of_whole(&uuid, device));
    std::string text = "GPU";
    for (size_t i = 0; i < sizeof(uuid.bytes); ++i) {
      const bool begins_part = i == 0 || (i >= 4 && i <= 10 && i % 2 == 0);
      text += fmt::format("{}{:02x}", begins_part ? "-" : "",
                          static_cast<unsigned char>(uuid.bytes[i]));
    }
    return text;
  }

  int attribute(CUdevice_attribute which) const {
    int value = 0;
    OL_CUDA(driver_->cuDeviceGetAttribute(&value, which, context_->device));
    return value;
  }

  // What goes wrong while a resource is given back has nobody to tell.
  std::shared_ptr<void> owner(void* handle, Release release) const {
    return {handle, [context = context_, release](void* held) {
              context->driver.cuCtxSetCurrent(context->context);
              release(context->driver, held);
            }};
  }

  KernelMaker& maker() {
    if (maker_ == nullptr) {
      maker_ = find_kernel_maker(*driver_, context_->context, architecture_);
    }
    return *maker_;
  }

  std::shared_ptr<const Context> context_;
  const Driver* driver_;
  std::unique_ptr<KernelMaker> maker_;
  std::shared_ptr<Cublas> cublas_;
  const void* recording_ = nullptr;  // stream
  std::string name_;
  std::string identity_;
  Architecture architecture_;
  DeviceLimits limits_;
};

}  // namespace

std::shared_ptr<Device> open_device(int ordinal, Products products) {
  return std::make_shared<DriverDevice>(ordinal, products);
}

std::vector<std::string> visible_devices() {
  std::optional<Driver> found;
  try {
    found.emplace();
  } catch (const NoGpu&) {
    return {};
  }
  const Driver& driver = *found;
  const auto describe = [&](CUresult failure) { return driver.describe(failure); };
  std::vector<std::string> names;
  int count = 0;
  OL_CHECKED(driver.cuDeviceGetCount(&count), describe);
  for (int i = 0; i < count; ++i) {
    std::array<char, 256> name{};
    CUdevice device = 0;
    OL_CHECKED(driver.cuDeviceGet(&device, i), describe);
    OL_CHECKED(driver.cuDeviceGetName(name.data(), static_cast<int>(name.size()), device),
               describe);
    names.emplace_back(name.data());
  }
  return names;
}

}  // namespace outerloop::exec::cuda
