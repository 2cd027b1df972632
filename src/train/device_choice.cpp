#include "train/device_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "outerloop/base/counted.h"
#include "outerloop/base/error.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/config/print.h"
#include "outerloop/exec/cuda.h"

namespace outerloop::train {
namespace {

// Of one rank.
struct Choice {
  std::shared_ptr<exec::Device> device;
  std::string note;
};

// The ranks of this host, and the place of this one among them.
struct RanksOfHost {
  int count = 1;
  int place = 0;
};
RanksOfHost ranks_of_host(const comm::Communicator* ranks) {
  if (ranks == nullptr) return {};
  const auto& hosts = ranks->hosts();
  const auto own = hosts.begin() + ranks->rank();
  return {.count = static_cast<int>(std::count(hosts.begin(), hosts.end(), *own)),
          .place = static_cast<int>(std::count(hosts.begin(), own, *own))};
}

std::string note_on_idle_gpus(int visible, int ranks) {
  if (visible <= ranks) return {};
  return fmt::format(
      "{} GPUs on a host with {}, and a rank computes on one: start {} ranks there "
      "(--ntasks-per-node={} under Slurm, -np {} of one host's mpirun), or hide the others by "
      "CUDA_VISIBLE_DEVICES",
      visible, counted(ranks, "rank"), visible, visible, visible);
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

Choice open(const config::Config& config, const comm::Communicator* ranks) {
  const config::Runtime& runtime = config.runtime;
  if (runtime.device == config::Device::cpu) return {};
  const bool is_asked_for = runtime.device == config::Device::cuda;
  const bool is_fast = runtime.numerics == config::Numerics::fast;
  int visible = 0;
  try {
    visible = static_cast<int>(exec::cuda::visible_devices().size());
  } catch (const Error& broken) {
    if (is_asked_for || is_fast) throw;
    return {.device = nullptr,
            .note = fmt::format("runtime.device=auto takes the processor: {}", broken.what())};
  }
  if (visible == 0 && !is_asked_for) {
    if (is_fast) refuse_fast_products(runtime, "finds none");
    return {};
  }
  // One that is not there says what is missing.
  const RanksOfHost host = ranks_of_host(ranks);
  const int ordinal = visible > 0 ? host.place % visible : host.place;
  return {.device = exec::cuda::open_device(ordinal, products_of(runtime)),
          .note = note_on_idle_gpus(visible, host.count)};
}

}  // namespace

void check_device(const config::Config& config) {
  const config::Runtime& runtime = config.runtime;
  if (runtime.numerics == config::Numerics::fast && runtime.device == config::Device::cpu) {
    refuse_fast_products(runtime, "is none");
  }
}

std::shared_ptr<exec::Device> choose_device(const config::Config& config, comm::Communicator* ranks,
                                            std::vector<std::string>* notes) {
  if (ranks == nullptr) return open(config, ranks).device;
  Choice own;
  comm::fail_together(*ranks, "GPUs", [&] { own = open(config, ranks); });
  std::set<std::string> all;
  std::string advice = "give every rank a GPU, or set runtime.device=cpu";
  for (const std::string& note : comm::all_gather_strings(*ranks, "notes on GPUs", own.note)) {
    if (note.empty() || !all.insert(note).second) continue;
    advice += "; " + note;
  }
  comm::require_equal(*ranks, "kind of device", "the kind of device", own.device ? "cuda" : "cpu",
                      advice);
  if (notes != nullptr) notes->assign(all.begin(), all.end());
  return own.device;
}

std::string name_of(const exec::Device* device) {
  return device != nullptr ? device->name() : "cpu";
}

}  // namespace outerloop::train
