// A CUDA driver without a GPU: handles are counted, memory is the host's, launches are written
// down. The environment says what is wrong with the machine:
//   FAKE_CUDA_INIT      what cuInit gives
//   FAKE_CUDA_VERSION   of the driver, 12080 for CUDA 12.8
//   FAKE_CUDA_MAJOR     of the compute capability (9)
//   FAKE_CUDA_SHARED    bytes of shared memory that a block has on request (49152)
//   FAKE_CUDA_LINKER    what cuLinkCreate gives
//   FAKE_CUDA_DEVICES   how many GPUs there are (1)
//   FAKE_CUDA_MEMORY    bytes that one allocation may have
//   FAKE_CUDA_CAPTURE   what cuStreamBeginCapture gives

#include "exec/cuda/fake_driver.h"

#include <cuda.h>
// Later headers make the name stand for another version.
#undef cuDeviceGetUuid

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

FakeDriver state;
std::vector<FakeLaunch>* capture = nullptr;
thread_local CUcontext current = nullptr;

// A cubin is the linker's until it is destroyed.
struct Link {
  char* log = nullptr;
  std::string cubin;
};

long number(const char* variable, long otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atol(text);
}

template <class Handle, class T>
CUresult make(Handle* handle, T value) {
  *handle = reinterpret_cast<Handle>(new T(std::move(value)));
  ++state.live;
  return CUDA_SUCCESS;
}
template <class T, class Handle>
CUresult destroy(Handle handle) {
  delete reinterpret_cast<T*>(handle);
  --state.live;
  return CUDA_SUCCESS;
}

using Launches = std::vector<FakeLaunch>;

}  // namespace

extern "C" {

FakeDriver* fake_driver() {
  return &state;
}

CUresult cuInit(unsigned) {
  return static_cast<CUresult>(number("FAKE_CUDA_INIT", 0));
}
// NVRTC asks for tables of the driver's own; the first word of one is its size.
CUresult cuGetExportTable(const void** table, const CUuuid*) {
  static const size_t kEmpty[] = {sizeof(size_t)};
  *table = kEmpty;
  return CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int* version) {
  *version = static_cast<int>(number("FAKE_CUDA_VERSION", CUDA_VERSION));
  return CUDA_SUCCESS;
}
CUresult cuGetErrorName(CUresult result, const char** name) {
  *name = result == CUDA_ERROR_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult result, const char** words) {
  *words = result == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : "something else";
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetCount(int* count) {
  *count = static_cast<int>(number("FAKE_CUDA_DEVICES", 1));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  *device = ordinal;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* name, int, CUdevice) {
  std::strcpy(name, "Fake");
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
  for (int i = 0; i < 16; ++i) uuid->bytes[i] = static_cast<char>(17 * i);
  uuid->bytes[15] = static_cast<char>(device);
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute which, CUdevice) {
  switch (which) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = static_cast<int>(number("FAKE_CUDA_MAJOR", 9));
      break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      *value = 0;
      break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      *value = 1024;
      break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      *value = static_cast<int>(number("FAKE_CUDA_SHARED", 49152));
      break;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X:
      *value = 2147483647;
      break;
    default:
      *value = 49152;
  }
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
  return make(context, 0);
}
CUresult cuDevicePrimaryCtxRelease(CUdevice) {
  --state.live;
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  current = context;
  return context == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
}

CUresult cuMemAlloc(CUdeviceptr* data, size_t bytes) {
  if (static_cast<long>(bytes) > number("FAKE_CUDA_MEMORY", 1L << 40)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *data = reinterpret_cast<CUdeviceptr>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  ++state.live;
  return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr data) {
  std::free(reinterpret_cast<void*>(data));
  --state.live;
  return CUDA_SUCCESS;
}
CUresult cuMemAllocHost(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  ++state.live;
  return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void* data) {
  std::free(data);
  --state.live;
  return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream) {
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream) {
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return CUDA_SUCCESS;
}

// Recorded, it is seen and no more.
CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream) {
  if (capture != nullptr) {
    capture->emplace_back();
    return CUDA_SUCCESS;
  }
  std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream* stream, unsigned) {
  return make(stream, 0);
}
CUresult cuStreamDestroy(CUstream stream) {
  return destroy<int>(stream);
}
CUresult cuStreamSynchronize(CUstream) {
  return CUDA_SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream, CUevent, unsigned) {
  return CUDA_SUCCESS;
}
CUresult cuStreamBeginCapture(CUstream, CUstreamCaptureMode) {
  if (const long failure = number("FAKE_CUDA_CAPTURE", 0)) return static_cast<CUresult>(failure);
  capture = new Launches;
  ++state.live;
  return CUDA_SUCCESS;
}
CUresult cuStreamEndCapture(CUstream, CUgraph* graph) {
  *graph = reinterpret_cast<CUgraph>(capture);
  capture = nullptr;
  return CUDA_SUCCESS;
}

CUresult cuLinkCreate(unsigned count, CUjit_option* options, void** values, CUlinkState* handle) {
  if (current == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (const long failure = number("FAKE_CUDA_LINKER", 0)) return static_cast<CUresult>(failure);
  Link link;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER) link.log = static_cast<char*>(values[i]);
  }
  return make(handle, link);
}
// "wrong" is no PTX.
CUresult cuLinkAddData(CUlinkState handle, CUjitInputType type, void* data, size_t size,
                       const char*, unsigned, CUjit_option*, void**) {
  auto& link = *reinterpret_cast<Link*>(handle);
  const char* text = static_cast<const char*>(data);
  if (type != CU_JIT_INPUT_PTX || size == 0 || text[size - 1] != 0) return CUDA_ERROR_INVALID_VALUE;
  if (std::strcmp(text, "wrong") == 0) {
    std::strcpy(link.log, "ptxas fatal: what is this");
    return CUDA_ERROR_INVALID_PTX;
  }
  const std::lock_guard lock(state.mutex);
  state.linked.emplace_back(text);
  link.cubin = std::string("\177ELF") + text;
  return CUDA_SUCCESS;
}
CUresult cuLinkComplete(CUlinkState handle, void** cubin, size_t* size) {
  auto& link = *reinterpret_cast<Link*>(handle);
  *cubin = link.cubin.data();
  *size = link.cubin.size();
  return CUDA_SUCCESS;
}
// What somebody still reads there is not it any more.
CUresult cuLinkDestroy(CUlinkState handle) {
  std::ranges::fill(reinterpret_cast<Link*>(handle)->cubin, '?');
  return destroy<Link>(handle);
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  if (std::memcmp(image, "\177ELF", 4) != 0) return CUDA_ERROR_INVALID_IMAGE;
  return make(module, std::string());
}
CUresult cuModuleUnload(CUmodule module) {
  return destroy<std::string>(module);
}
// Its handle is that of the module, which has one function.
CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  *reinterpret_cast<std::string*>(module) = name;
  *function = reinterpret_cast<CUfunction>(module);
  return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute, int) {
  return CUDA_SUCCESS;
}
CUresult cuLaunchKernel(CUfunction function, unsigned blocks, unsigned, unsigned, unsigned threads,
                        unsigned, unsigned, unsigned, CUstream, void** arguments, void**) {
  FakeLaunch launch{*reinterpret_cast<std::string*>(function), blocks, threads, {}};
  std::memcpy(&launch.first_operand, arguments[0], sizeof(launch.first_operand));
  (capture == nullptr ? state.launches : *capture).push_back(launch);
  return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent* event, unsigned) {
  return make(event, 0);
}
CUresult cuEventDestroy(CUevent event) {
  return destroy<int>(event);
}
CUresult cuEventRecord(CUevent event, CUstream) {
  *reinterpret_cast<int*>(event) = 1;
  return CUDA_SUCCESS;
}
// Not ready when it is asked for the first time.
CUresult cuEventQuery(CUevent event) {
  return (*reinterpret_cast<int*>(event))++ == 1 ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

CUresult cuGraphInstantiate(CUgraphExec* executable, CUgraph graph, unsigned long long) {
  return make(executable, Launches(*reinterpret_cast<Launches*>(graph)));
}
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
  auto& launches = *reinterpret_cast<Launches*>(graph);
  if (nodes == nullptr) *count = launches.size();
  for (size_t i = 0; nodes != nullptr && i < *count; ++i) {
    nodes[i] = reinterpret_cast<CUgraphNode>(&launches[i]);
  }
  return CUDA_SUCCESS;
}
// What has no name is a copy.
CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType* type) {
  const bool is_copy = reinterpret_cast<const FakeLaunch*>(node)->function.empty();
  *type = is_copy ? CU_GRAPH_NODE_TYPE_MEMCPY : CU_GRAPH_NODE_TYPE_KERNEL;
  return CUDA_SUCCESS;
}
CUresult cuGraphLaunch(CUgraphExec executable, CUstream) {
  const auto& launches = *reinterpret_cast<Launches*>(executable);
  state.launches.insert(state.launches.end(), launches.begin(), launches.end());
  return CUDA_SUCCESS;
}
CUresult cuGraphExecDestroy(CUgraphExec executable) {
  return destroy<Launches>(executable);
}
CUresult cuGraphDestroy(CUgraph graph) {
  return destroy<Launches>(graph);
}

}  // extern "C"
