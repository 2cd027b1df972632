#include "train/device_connection.h"

#include "outerloop/comm/agreement.h"

namespace outerloop::train {
namespace {

const exec::DeviceEvent& event_of(comm::DeviceEvent event) {
  return *static_cast<const exec::DeviceEvent*>(event);
}

// Its owner has it.
exec::DeviceStream stream_of(comm::DeviceStream stream) {
  return {std::shared_ptr<void>(std::shared_ptr<void>(), stream)};
}

}  // namespace

DeviceConnection::DeviceConnection(comm::Communicator& host, std::shared_ptr<exec::Device> device,
                                   const comm::NcclOptions& options)
    : device_(std::move(device)) {
  comm::fail_together(host, "GPU", [&] { stream_ = device_->make_stream(); });
  comm::NcclConnection nccl = comm::connect_nccl(host, *this, device_->identity(), options);
  note_ = nccl.note;
  way_ = nccl.ranks ? "nccl " + nccl.version : "mpi";
  ranks_ = nccl.ranks ? std::move(nccl.ranks) : comm::through_host(host, *this);
}

comm::DeviceEvent DeviceConnection::make_event() {
  return new exec::DeviceEvent(device_->make_event());
}

void DeviceConnection::free_event(comm::DeviceEvent event) noexcept {
  delete &event_of(event);
}

void DeviceConnection::record(comm::DeviceEvent event, comm::DeviceStream stream) {
  device_->record(event_of(event), stream_of(stream));
}

bool DeviceConnection::reached(comm::DeviceEvent event) {
  return device_->reached(event_of(event));
}

void DeviceConnection::wait_for(comm::DeviceStream stream, comm::DeviceEvent event) {
  device_->wait(stream_of(stream), event_of(event));
}

void DeviceConnection::download(std::span<float> to, const float* from, comm::DeviceStream stream) {
  device_->download(stream_of(stream), std::as_writable_bytes(to),
                    reinterpret_cast<const std::byte*>(from));
  device_->synchronize(stream_of(stream));
}

void DeviceConnection::upload(float* to, std::span<const float> from, comm::DeviceStream stream) {
  device_->upload(stream_of(stream), reinterpret_cast<std::byte*>(to), std::as_bytes(from));
  device_->synchronize(stream_of(stream));
}

std::string sums_by(const comm::Communicator& ranks,
                    const std::optional<DeviceConnection>& between_devices) {
  if (between_devices) return between_devices->way();
  return ranks.size() > 1 ? "mpi" : "none";
}

}  // namespace outerloop::train
