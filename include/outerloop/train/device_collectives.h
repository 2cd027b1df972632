#pragma once
// The speed of sums and exchanges between the memories of GPUs, by message size.

#include <memory>
#include <string>
#include <vector>

#include "outerloop/comm/bench.h"
#include "outerloop/exec/device.h"

namespace outerloop::train {

struct DeviceCollectives {
  std::string device;   // of the first rank
  std::string sums_by;  // as in a manifest: "nccl 2.28.9" or "mpi"
  std::string note;     // why it is not NCCL, if it is not
  // Ordered sum: a training's, of one slot on each rank and in as many groups; fast sum: the
  // library's all-reduce; all_gather; all_to_all, whose busbw is what links give.
  std::vector<comm::CollectiveSpeed> speeds;

  // The largest busbw of a kind over that of all_to_all.
  double fraction_of_bus(const std::string& what) const;
};

// Collective, on two ranks at least, each with the GPU of its place on its host, or `device` (for
// tests). Throws as a training does where GPUs are missing, and as comm::measure_collectives.
DeviceCollectives measure_device_collectives(comm::Communicator& ranks,
                                             const comm::CollectiveBench& options,
                                             std::shared_ptr<exec::Device> device = nullptr);

}  // namespace outerloop::train
