#include "train/device_state.h"

#include "train/outer_update.h"

namespace outerloop::train {

DeviceState::DeviceState(std::shared_ptr<exec::Device> device, OuterState start)
    : device_(std::move(device)),
      stream_(device_->make_stream()),
      host_(std::move(start)),
      memory_(device_->allocate(vectors() * vector_bytes())) {
  set(host_);
}

template <class Work>
void DeviceState::each(Work work) {
  std::byte* place = memory_.data;
  work(host_.theta, place);
  for (io::NamedTensor& item : host_.optimizer) work(item.value, place += vector_bytes());
  device_->synchronize(stream_);
}

void DeviceState::count_updates(int64_t more) {
  host_.updates += more;
  host_is_old_ = host_is_old_ || more > 0;
}

const OuterState& DeviceState::on_host() {
  if (host_is_old_) {
    each([this](Tensor& tensor, const std::byte* place) {
      device_->download(stream_, {tensor.data(), tensor.bytes()}, place);
    });
    host_is_old_ = false;
  }
  return host_;
}

void DeviceState::set(const OuterState& state) {
  copy_state(state, host_);
  host_is_old_ = false;
  each([this](const Tensor& tensor, std::byte* place) {
    device_->upload(stream_, place, {tensor.data(), tensor.bytes()});
  });
}

}  // namespace outerloop::train
