#pragma once
// NCCL's functions, found at run time. Their types are those of the header at build time, so a
// header that differs does not compile.

#include <nccl.h>

#include <string>

#include "outerloop/comm/nccl.h"

// Every function that is used.
#define OL_NCCL_FUNCTIONS(f)                                                                    \
  f(ncclGetVersion) f(ncclGetErrorString) f(ncclGetLastError) f(ncclGetUniqueId)                \
      f(ncclCommInitRankConfig) f(ncclCommGetAsyncError) f(ncclCommFinalize) f(ncclCommDestroy) \
          f(ncclCommAbort) f(ncclGroupStart) f(ncclGroupEnd) f(ncclSend) f(ncclRecv)            \
              f(ncclBroadcast) f(ncclAllGather) f(ncclAllReduce)

namespace outerloop::comm {

struct NcclLibrary {
#define OL_NCCL_MEMBER(function) decltype(&::function) function = nullptr;
  OL_NCCL_FUNCTIONS(OL_NCCL_MEMBER)
#undef OL_NCCL_MEMBER
};

// Throws as nccl_version(), with what was looked for and what to do. The library stays in the
// process: it has threads of its own.
NcclLibrary load_nccl(const NcclOptions& options);

// "2.28.9"
std::string version_of(const NcclLibrary& library);

}  // namespace outerloop::comm
