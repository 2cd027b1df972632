#include "cli/ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "cli/launcher.h"
#include "cli/program.h"
#include "outerloop/base/error.h"
#include "outerloop/base/log.h"
#include "outerloop/comm/agreement.h"
#include "outerloop/comm/mpi.h"

namespace outerloop::cli {
namespace {

// Each would train alone, all in one folder.
int refuse_ranks_apart(int tasks) {
  if (place_in_launch() > 0) return kBadInput;  // the first one speaks
  throw BadInput(fmt::format(
      "srun started {} tasks that do not know of each other: use srun --mpi=pmix (srun --mpi=list "
      "shows what there is) or mpirun in the job; if they are to train apart, unset "
      "SLURM_STEP_NUM_TASKS",
      tasks));
}

}  // namespace

int tasks_of_srun() {
  // A rank of mpirun may have the variable from the step that started its daemon.
  const char* tasks = std::getenv("SLURM_STEP_NUM_TASKS");
  if (tasks == nullptr || std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr) return 1;
  return std::max(1, std::atoi(tasks));
}

int run_on_ranks(const std::function<int(comm::Communicator&)>& body, ColorMode color) {
  const int tasks = tasks_of_srun();  // asked before MPI sets variables of its own
  comm::World world;
  comm::Communicator& ranks = world.ranks();
  if (ranks.size() == 1 && tasks > 1) {
    world.finish();
    return refuse_ranks_apart(tasks);
  }
  try {
    const int code = body(ranks);
    world.finish();
    return code;
  } catch (const std::exception& error) {
    const int code = exit_code_of(error);
    if (ranks.size() == 1) {
      world.finish();
      throw;
    }
    if (dynamic_cast<const comm::Agreed*>(&error) == nullptr) {
      tell_error(fmt::format("rank {} on {}: {}", ranks.rank(),
                             ranks.hosts()[static_cast<size_t>(ranks.rank())], error.what()),
                 color);
      ranks.abort(code);
    }
    // Before any rank ends: mpirun ends the others at the first exit code that is not 0.
    if (ranks.rank() == 0) tell_error(error.what(), color);
    world.finish();
    return code;
  }
}

comm::Watchdog watch(comm::Communicator& ranks, const comm::WatchdogOptions& options,
                     const std::filesystem::path& log) {
  // mpirun should see for itself that a host was cut off: once a rank has ended, it waits for ever
  // for that host to hear of it. With launch/env.sh it needs 7 s longer than we do.
  const auto wait = options.silence / 2 + std::chrono::seconds(5);
  comm::WatchdogOptions all = options;
  all.ending = wait + std::chrono::seconds(5);
  return comm::Watchdog(ranks, all, [=](const comm::Verdict& verdict) {
    if (verdict.found_here) tell(fmt::format("error: {}\n", verdict.text));
    try {
      file_sink(log)(LogLevel::error, verdict.text);
    } catch (const Error&) {  // it was told
    }
    std::this_thread::sleep_for(wait);
    end_launcher_later();
    std::_Exit(kFailed);
  });
}

}  // namespace outerloop::cli
