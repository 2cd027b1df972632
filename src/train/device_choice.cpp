#include "train/device_choice.h"

#include <algorithm>

#include "outerloop/comm/agreement.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::train {
namespace {

// Place among the ranks of this host.
int place_on_host(const comm::Communicator* ranks) {
  if (ranks == nullptr) return 0;
  const auto& hosts = ranks->hosts();
  const auto own = hosts.begin() + ranks->rank();
  return static_cast<int>(std::count(hosts.begin(), own, *own));
}

}  // namespace

std::shared_ptr<exec::Device> choose_device(const config::Config& config,
                                            comm::Communicator* ranks) {
  if (config.runtime.device == config::Device::cpu) return nullptr;
  const size_t visible = exec::cuda::visible_devices().size();
  const bool wanted = config.runtime.device == config::Device::cuda || visible > 0;
  std::shared_ptr<exec::Device> device;
  const auto open = [&] {
    // One that is not there says what is missing.
    const int place = place_on_host(ranks);
    const int ordinal = visible > 0 ? place % static_cast<int>(visible) : place;
    if (wanted) device = exec::cuda::open_device(ordinal);
  };
  if (ranks == nullptr || ranks->size() == 1) {
    open();
    return device;
  }
  comm::fail_together(*ranks, "GPUs", open);
  comm::require_equal(*ranks, "kind of device", "the kind of device", device ? "cuda" : "cpu",
                      "give every rank a GPU, or set runtime.device=cpu");
  return device;
}

std::string name_of(const exec::Device* device) {
  return device != nullptr ? device->name() : "cpu";
}

}  // namespace outerloop::train
