// Which way data go between the ranks' GPUs; also where there is no NCCL in the build.

#include <fmt/format.h>

#include <cstdlib>
#include <map>

#include "comm/nccl/join.h"
#include "outerloop/comm/agreement.h"

namespace outerloop::comm {
namespace {

// The first two ranks with one GPU, in words; empty: none. Containers of one machine have host
// names of their own.
std::string shared_gpu(Communicator& host, std::string_view gpu) {
  const auto gpus = all_gather_strings(host, "GPU of each rank", gpu);
  std::map<std::string, int> owner;
  for (int r = 0; r < host.size(); ++r) {
    const auto [found, added] = owner.try_emplace(gpus[static_cast<size_t>(r)], r);
    if (added) continue;
    return fmt::format(
        "ranks {} and {} share {} on {}, which NCCL refuses: the sums over the ranks go through "
        "host memory",
        found->second, r, found->first, host.hosts()[static_cast<size_t>(r)]);
  }
  return "";
}

}  // namespace

std::string nccl_of_environment() {
  const char* named = std::getenv("OUTERLOOP_NCCL");
  return named == nullptr ? "" : named;
}

NcclConnection connect_nccl(Communicator& host, DeviceCalls& device, std::string_view gpu,
                            const NcclOptions& options) {
  std::string version;
  const auto find = [&] { version = nccl_version(options); };
  // Before anything that would go another way: what one user named must be there.
  fail_together(host, "OUTERLOOP_NCCL", [&] {
    if (!options.named.empty()) find();
  });
  if (std::string note = shared_gpu(host, gpu); !note.empty()) return {nullptr, note, {}};
  try {
    fail_together(host, "NCCL library", find);
  } catch (const AgreedFailure& missing) {
    return {nullptr,
            fmt::format("{}; until then the sums over the ranks go through host memory",
                        missing.what()),
            {}};
  }
  require_equal(host, "NCCL version", "NCCL's version", version,
                "load the same library on all hosts");
  return {join_nccl(host, device, options), {}, version};
}

}  // namespace outerloop::comm
