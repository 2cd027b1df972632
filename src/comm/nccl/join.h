#pragma once
// What differs between builds with and without NCCL, beside nccl_version().

#include <memory>

#include "outerloop/comm/nccl.h"

namespace outerloop::comm {

// Collective over ranks that all have the library, in one version, and a GPU of their own. Throws
// AgreedFailure on all where they do not find each other.
std::unique_ptr<DeviceRanks> join_nccl(Communicator& host, DeviceCalls& device,
                                       const NcclOptions& options);

}  // namespace outerloop::comm
