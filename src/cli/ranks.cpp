#include "cli/ranks.h"

#include <fmt/format.h>

#include <cstdlib>
#include <thread>

#include "cli/program.h"
#include "outerloop/base/error.h"
#include "outerloop/base/log.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/mpi.h"

namespace outerloop::cli {

int run_on_ranks(const std::function<int(comm::Communicator&)>& body) {
  comm::World world;
  comm::Communicator& ranks = world.ranks();
  if (ranks.size() == 1) {
    const int code = body(ranks);
    world.finish();
    return code;
  }
  try {
    const int code = body(ranks);
    world.finish();
    return code;
  } catch (const std::exception& error) {
    const int code = dynamic_cast<const BadInput*>(&error) != nullptr ? kBadInput : kFailed;
    if (dynamic_cast<const comm::Agreed*>(&error) == nullptr) {
      tell(fmt::format("error: rank {} on {}: {}\n", ranks.rank(),
                       ranks.hosts()[static_cast<size_t>(ranks.rank())], error.what()));
      ranks.abort(code);
    }
    world.finish();
    if (ranks.rank() == 0) throw;
    return code;
  }
}

comm::Watchdog watch(comm::Communicator& ranks, const comm::WatchdogOptions& options,
                     const std::filesystem::path& log) {
  // mpirun must see for itself that a host was cut off: once a rank has ended, it would wait for
  // ever for that host to hear of it. With launch/env.sh it needs 7 s longer than we do.
  const auto wait = options.silence / 2 + std::chrono::seconds(5);
  return comm::Watchdog(ranks, options, [=](const comm::Verdict& verdict) {
    if (verdict.found_here) tell(fmt::format("error: {}\n", verdict.text));
    try {
      file_sink(log)(LogLevel::error, verdict.text);
    } catch (const Error&) {  // it was told
    }
    std::this_thread::sleep_for(wait);
    std::_Exit(kFailed);
  });
}

}  // namespace outerloop::cli
