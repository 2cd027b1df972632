#include "cli/ranks.h"

#include <fmt/format.h>

#include "cli/program.h"
#include "outerloop/base/error.h"
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

}  // namespace outerloop::cli
