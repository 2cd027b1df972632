#include "train/device_choice.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/config/print.h"
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

exec::cuda::Products products_of(const config::Runtime& runtime) {
  using exec::cuda::Products;
  if (runtime.numerics == config::Numerics::ordered) return Products::ordered;
  switch (runtime.precision) {
    case config::Precision::tf32:
      return Products::tf32;
    case config::Precision::bfloat16:
      return Products::bfloat16;
    case config::Precision::float32:
      break;
  }
  return Products::float32;
}

[[noreturn]] void refuse_fast_products(const config::Runtime& runtime, std::string_view why) {
  throw BadInput(
      fmt::format("runtime.numerics=fast: fast products are a GPU's, and runtime.device={} {}: set "
                  "runtime.numerics=ordered, or runtime.device=cuda on a machine with a GPU",
                  config::word(runtime.device), why));
}

// Leaves null where the processor is to compute.
void open(const config::Config& config, const comm::Communicator* ranks,
          std::shared_ptr<exec::Device>& device) {
  const config::Runtime& runtime = config.runtime;
  const bool may = runtime.device != config::Device::cpu;
  const size_t visible = may ? exec::cuda::visible_devices().size() : 0;
  if (visible > 0 || runtime.device == config::Device::cuda) {
    // One that is not there says what is missing.
    const int place = place_on_host(ranks);
    const int ordinal = visible > 0 ? place % static_cast<int>(visible) : place;
    device = exec::cuda::open_device(ordinal, products_of(runtime));
  } else if (may && runtime.numerics == config::Numerics::fast) {
    refuse_fast_products(runtime, "finds none");
  }
}

}  // namespace

void check_device(const config::Config& config) {
  const config::Runtime& runtime = config.runtime;
  if (runtime.numerics == config::Numerics::fast && runtime.device == config::Device::cpu) {
    refuse_fast_products(runtime, "is none");
  }
}

std::shared_ptr<exec::Device> choose_device(const config::Config& config,
                                            comm::Communicator* ranks) {
  std::shared_ptr<exec::Device> device;
  if (ranks == nullptr || ranks->size() == 1) {
    open(config, ranks, device);
    return device;
  }
  comm::fail_together(*ranks, "GPUs", [&] { open(config, ranks, device); });
  comm::require_equal(*ranks, "kind of device", "the kind of device", device ? "cuda" : "cpu",
                      "give every rank a GPU, or set runtime.device=cpu");
  return device;
}

std::string name_of(const exec::Device* device) {
  return device != nullptr ? device->name() : "cpu";
}

}  // namespace outerloop::train
