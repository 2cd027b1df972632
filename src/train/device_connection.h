#pragma once
// The ranks' devices among themselves.

#include <memory>
#include <optional>
#include <string>

#include "outerloop/comm/nccl.h"
#include "outerloop/exec/device.h"

namespace outerloop::train {

class DeviceConnection final : comm::DeviceCalls {
 public:
  // Collective over `host`, which outlives this. By NCCL where each rank has a device of its own
  // and the library is there, else through the hosts' memory.
  DeviceConnection(comm::Communicator& host, std::shared_ptr<exec::Device> device,
                   const comm::NcclOptions& options);

  comm::DeviceRanks& ranks() { return *ranks_; }
  // "nccl 2.28.9" or "mpi".
  const std::string& way() const { return way_; }
  // Why it is not NCCL, if it is not.
  const std::string& note() const { return note_; }

 private:
  comm::DeviceEvent make_event() override;
  void free_event(comm::DeviceEvent event) noexcept override;
  void record(comm::DeviceEvent event, comm::DeviceStream stream) override;
  bool reached(comm::DeviceEvent event) override;
  void wait_for(comm::DeviceStream stream, comm::DeviceEvent event) override;
  void download(std::span<float> to, const float* from, comm::DeviceStream stream) override;
  void upload(float* to, std::span<const float> from, comm::DeviceStream stream) override;

  std::shared_ptr<exec::Device> device_;
  exec::DeviceStream stream_;  // makes the device the thread's own
  std::unique_ptr<comm::DeviceRanks> ranks_;
  std::string way_, note_;
};

// How sums go between ranks, for who reads a manifest or a bench: "none", "mpi" or "nccl 2.28.9".
std::string sums_by(const comm::Communicator& ranks,
                    const std::optional<DeviceConnection>& between_devices);

}  // namespace outerloop::train
