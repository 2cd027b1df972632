#pragma once
// The driver of NVIDIA GPUs, loaded when a GPU is asked for.

#include <cuda.h>

#include <string>

#include "exec/cuda/checked.h"
#include "outerloop/base/shared_library.h"

namespace outerloop::exec::cuda {

// This machine has no GPU, rather than one that does not work.
class NoGpu : public BadInput {
 public:
  using BadInput::BadInput;
};

#define OL_DRIVER_FUNCTIONS(X) \
  X(cuInit)                    \
  X(cuDriverGetVersion)        \
  X(cuGetErrorName)            \
  X(cuGetErrorString)          \
  X(cuDeviceGetCount)          \
  X(cuDeviceGet)               \
  X(cuDeviceGetName)           \
  X(cuDeviceGetAttribute)      \
  X(cuDevicePrimaryCtxRetain)  \
  X(cuDevicePrimaryCtxRelease) \
  X(cuCtxSetCurrent)           \
  X(cuMemAlloc)                \
  X(cuMemFree)                 \
  X(cuMemAllocHost)            \
  X(cuMemFreeHost)             \
  X(cuMemcpyHtoDAsync)         \
  X(cuMemcpyDtoHAsync)         \
  X(cuMemcpyDtoDAsync)         \
  X(cuStreamCreate)            \
  X(cuStreamDestroy)           \
  X(cuStreamSynchronize)       \
  X(cuStreamWaitEvent)         \
  X(cuStreamBeginCapture)      \
  X(cuStreamEndCapture)        \
  X(cuModuleLoadData)          \
  X(cuModuleUnload)            \
  X(cuModuleGetFunction)       \
  X(cuFuncSetAttribute)        \
  X(cuLinkCreate)              \
  X(cuLinkAddData)             \
  X(cuLinkComplete)            \
  X(cuLinkDestroy)             \
  X(cuLaunchKernel)            \
  X(cuEventCreate)             \
  X(cuEventDestroy)            \
  X(cuEventRecord)             \
  X(cuEventQuery)              \
  X(cuGraphGetNodes)           \
  X(cuGraphNodeGetType)        \
  X(cuGraphInstantiate)        \
  X(cuGraphLaunch)             \
  X(cuGraphExecDestroy)        \
  X(cuGraphDestroy)

// The functions by their names in the header, which stand for the versions that it declares.
struct Driver {
  // Throws NoGpu where there is no driver or it finds no GPU, BadInput where it is too old or does
  // not work.
  Driver();

  SharedLibrary library;
#define OL_MEMBER(name) decltype(&::name) name = nullptr;
  OL_DRIVER_FUNCTIONS(OL_MEMBER)
#undef OL_MEMBER
  // The first version of cuDeviceGetUuid: of the whole GPU also where it is divided (MIG), as NCCL
  // tells GPUs apart. The header's names of later toolkits stand for another one.
  CUresult (*uuid_of_whole)(CUuuid* uuid, CUdevice device) = nullptr;

  std::string describe(CUresult result) const;
};

}  // namespace outerloop::exec::cuda
