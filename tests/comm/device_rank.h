#pragma once
// One rank with a GPU of the fake NCCL, for tests.

#include <array>
#include <string>

#include "comm/fake_nccl.h"
#include "comm/fake_stream.h"
#include "outerloop/comm/device_slot_reduction.h"
#include "outerloop/comm/nccl.h"

namespace outerloop::comm {

// What a kernel will do, as host code on the stream.
inline void finish_on_stream(size_t /*group*/, std::span<const SlotNode> nodes,
                             std::span<float> sums, DeviceStream stream) {
  static_cast<FakeStream*>(stream)->push([nodes = std::vector(nodes.begin(), nodes.end()), sums] {
    std::vector<SlotNode> there = nodes;
    for (SlotNode& node : there) node.present = *node.count != 0;
    finish_tree(there, 0, static_cast<int64_t>(sums.size()), sums);
  });
}

struct ByHost {};

// Connected, each rank to a GPU of its own.
struct DeviceRank {
  DeviceRank(Communicator& host, ByHost) : ranks(through_host(host, device)) {}
  explicit DeviceRank(Communicator& host, const NcclOptions& options = {}) {
    fake_nccl::use_gpu(host.rank());
    ranks = connect_nccl(host, device, "GPU-" + std::to_string(host.rank()), options).ranks;
  }

  FakeDevice device;
  FakeStream compute, backward, exchange, gather;
  std::unique_ptr<DeviceRanks> ranks;  // ends first: streams wait for what it aborts
};

}  // namespace outerloop::comm
