#include "comm/nccl/join.h"

#include <fmt/format.h>

#include <thread>

#include "comm/nccl/nccl_ranks.h"
#include "outerloop/comm/agreement.h"

namespace outerloop::comm {
namespace {

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

std::unique_ptr<DeviceRanks> join_nccl(Communicator& host, DeviceCalls& device,
                                       const NcclOptions& options) {
  NcclContext context{.library = load_nccl(options), .rank = host.rank()};
  context.comm = connect(host, context, options.connect);
  return std::make_unique<NcclRanks>(host, device, context, options);
}

}  // namespace outerloop::comm
