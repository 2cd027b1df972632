// In place of what needs NCCL's header, where it was not found.

#include <fmt/format.h>

#include "comm/nccl/join.h"

namespace outerloop::comm {
namespace {

constexpr const char* kMissing =
    "this program was built without NCCL: build it where nccl.h and CUDA's headers are";

}  // namespace

std::string nccl_version(const NcclOptions& options) {
  if (options.named.empty()) throw NcclError(kMissing);
  throw BadInput(
      fmt::format("OUTERLOOP_NCCL names {}, and {}, or unset it", options.named, kMissing));
}

// No rank has a version then.
std::unique_ptr<DeviceRanks> join_nccl(Communicator&, DeviceCalls&, const NcclOptions&) {
  throw NcclError(kMissing);
}

}  // namespace outerloop::comm
