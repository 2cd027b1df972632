#include <fmt/format.h>

#include <map>
#include <optional>
#include <thread>

#include "comm/nccl/nccl_ranks.h"
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

ncclUniqueId shared_id(Communicator& host, const NcclContext& context) {
  ncclUniqueId id{};
  fail_together(host, "NCCL id", [&] {
    if (host.rank() == 0) OL_NCCL(context, ncclGetUniqueId(&id));
  });
  host.broadcast("NCCL id", std::span(&id, 1), 0);
  return id;
}

// Throws when this rank's part failed; whether it is done.
bool connected(const NcclContext& context) {
  ncclResult_t state = ncclSuccess;
  OL_NCCL(context, ncclCommGetAsyncError(context.comm, &state));
  if (state == ncclSuccess || state == ncclInProgress) return state == ncclSuccess;
  throw NcclError(fmt::format("NCCL cannot connect: {}", error_text(context, state)));
}

// Runs on all ranks until each is done or any failed: a rank that failed alone would be waited for
// by the others.
void connect_in_step(Communicator& host, const std::function<bool()>& step) {
  std::exception_ptr error;
  bool done = false;
  std::array<int64_t, 2> states{};  // failed, under way
  do {
    try {
      if (!done) done = step();
    } catch (const std::exception&) {
      error = std::current_exception();
    }
    states = {error ? 1 : 0, done ? 0 : 1};
    host.all_reduce("NCCL connecting", std::span(states), Reduction::max);
    if (states[0] == 0 && states[1] != 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } while (states[0] == 0 && states[1] != 0);
  fail_together(host, "NCCL connecting", [&] {
    if (error) std::rethrow_exception(error);
  });
}

ncclComm_t connect(Communicator& host, NcclContext context, std::chrono::milliseconds most) {
  const ncclUniqueId id = shared_id(host, context);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  const auto deadline = Clock::now() + most;
  bool begun = false;
  try {
    connect_in_step(host, [&] {
      if (!begun) {
        begun = true;
        OL_NCCL(context,
                ncclCommInitRankConfig(&context.comm, host.size(), id, host.rank(), &config));
      }
      if (connected(context)) return true;
      if (Clock::now() < deadline) return false;
      throw NcclError(
          fmt::format("NCCL could not connect {} ranks within {:g} s; check the network between "
                      "them (NCCL_SOCKET_IFNAME names its interface, NCCL_DEBUG=INFO tells more)",
                      host.size(), static_cast<double>(most.count()) / 1000));
    });
  } catch (...) {
    if (context.comm != nullptr) context.library.ncclCommAbort(context.comm);
    throw;
  }
  return context.comm;
}

}  // namespace

NcclConnection connect_nccl(Communicator& host, DeviceCalls& device, std::string_view gpu,
                            const NcclOptions& options) {
  if (std::string note = shared_gpu(host, gpu); !note.empty()) return {nullptr, note, {}};
  NcclContext context;
  try {
    fail_together(host, "NCCL library", [&] { context.library = load_nccl(options.library); });
  } catch (const AgreedFailure& missing) {
    return {nullptr,
            fmt::format("{}; until then the sums over the ranks go through host memory",
                        missing.what()),
            {}};
  }
  require_equal(host, "NCCL version", "NCCL's version", version_of(context.library),
                "load the same library on all hosts");
  context.rank = host.rank();
  context.comm = connect(host, context, options.connect);
  return {
      std::make_unique<NcclRanks>(host, device, context, options), {}, version_of(context.library)};
}

}  // namespace outerloop::comm
