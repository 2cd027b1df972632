#include "outerloop/train/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"
#include "outerloop/checkpoint/store.h"
#include "outerloop/train/stored_run.h"
#include "train/hash_difference.h"
#include "train/outer_state.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

class Replayer {
 public:
  explicit Replayer(const fs::path& run)
      : root_(run),
        stored_(open_folder(run)),
        hashes_(hashes_of(stored_)),
        setup_(make_setup(stored_)),
        pool_(static_cast<int>(stored_.config.config.runtime.threads)),
        step_(setup_.config, setup_.learner, setup_.train_shape, setup_.train_tasks, pool_,
              compile_options(setup_.config)) {
    if (setup_.config.runtime.numerics == config::Numerics::fast) {
      throw BadInput(
          fmt::format("{}: it was trained with runtime.numerics=fast, whose bits are those of a "
                      "whole meta-batch on its GPU: no task alone has them",
                      root_.string()));
    }
    if (hash_names(setup_.config, step_.layout()) != hashes_.names()) {
      throw BadInput(
          fmt::format("{}: its hashes are of another config than its checkpoints", root_.string()));
    }
  }

  Replay replay(int64_t iteration, int64_t slot) {
    const HashRow logged = require(iteration, slot);
    Replay result{.iteration = iteration, .slot = slot, .started_from = start_before(iteration)};
    for (int64_t i = result.started_from + 1; i < iteration; ++i) replay_whole(i);
    result.task = step_.recompute(iteration - 1, slot);
    const uint32_t known = logged.slots[static_cast<size_t>(slot)];
    if (result.task.hash != known) {
      replay_whole(iteration);
      if (!result.task.finite) return result;  // of an older program, see there
      throw SystemFailure(fmt::format(
          "{}: iteration {}, slot {}: the gradient's hash is {:08x} alone, {:08x} among the others",
          root_.string(), iteration, slot, result.task.hash, known));
    }
    return result;
  }

 private:
  static StoredRun open_folder(const fs::path& run) {
    if (fs::is_regular_file(run)) {
      throw BadInput(fmt::format(
          "{}: expected a run folder, got a file; the checkpoint to begin from is found "
          "in the folder",
          run.string()));
    }
    return open_run(run, "last");
  }

  static HashFile hashes_of(const StoredRun& run) {
    if (!fs::exists(run.folder.hashes())) {
      throw BadInput(
          fmt::format("{} has no hashes.bin to compare with: it was trained with log.hashes=false "
                      "or by an older program",
                      run.folder.root.string()));
    }
    return HashFile(run.folder.hashes());
  }

  HashRow require(int64_t iteration, int64_t slot) const {
    const int64_t slots = hashes_.names().slots;
    if (slot < 0 || slot >= slots) {
      throw BadInput(fmt::format("--slot: expected 0 to {}, got {}: {} has {} tasks per iteration",
                                 slots - 1, slot, root_.string(), slots));
    }
    if (hashes_.rows() == 0) {
      throw BadInput(fmt::format("{} has no iteration in its hashes.bin", root_.string()));
    }
    std::optional<HashRow> row = hashes_.find(iteration);
    if (!row) {
      throw BadInput(fmt::format("--iter: expected {} to {}, which {} logged hashes of, got {}",
                                 hashes_.iteration(0), hashes_.iteration(hashes_.rows() - 1),
                                 root_.string(), iteration));
    }
    return std::move(*row);
  }

  // Sets the state of the nearest whole checkpoint and returns its iteration.
  int64_t start_before(int64_t iteration) {
    const auto files = checkpoint::Store::open_read(stored_.folder.checkpoints()).list();
    for (auto file = files.rbegin(); file != files.rend(); ++file) {
      if (file->iteration >= iteration) continue;
      try {
        const checkpoint::Checkpoint found = checkpoint::read_checkpoint(file->file);
        step_.set_state(read_outer_state(found, step_.state(), step_.layout(), file->file));
        return found.iteration;
      } catch (const CorruptFile&) {  // an older one will do
      }
    }
    if (hashes_.iteration(0) != 1) {
      throw BadInput(
          fmt::format("{}: no checkpoint before iteration {}, and the run began with another one's",
                      root_.string(), iteration));
    }
    return 0;
  }

  void replay_whole(int64_t iteration) {
    const MetaStepResult result = step_.run(iteration - 1);
    const StepHashes& got = step_.hashes();
    HashRow row{
        .iteration = iteration, .state = got.state, .slots = got.slots, .gradients = got.gradients};
    const std::optional<HashRow> logged = hashes_.find(iteration);
    if (!logged) return;
    // Older programs logged the bits of what is not a number, which are not the same everywhere.
    const auto logged_anyway = [](uint32_t now, uint32_t then) { return now == 0 && then != 0; };
    if (result.nonfinite > 0 &&
        !std::ranges::equal(row.slots, logged->slots, std::not_fn(logged_anyway))) {
      row.slots = logged->slots;
      row.gradients = logged->gradients;
    }
    const auto parted = difference(*logged, row, hashes_.names());
    if (!parted) return;
    throw SystemFailure(
        fmt::format("{}: the replay differs from the training: {}; the training or this machine "
                    "computed wrongly there, a replay on another machine tells which",
                    root_.string(), describe(*parted)));
  }

  fs::path root_;
  StoredRun stored_;
  HashFile hashes_;
  Setup setup_;
  ThreadPool pool_;
  MetaStep step_;
};

}  // namespace

Replay replay(const fs::path& run, int64_t iteration, int64_t slot) {
  return Replayer(run).replay(iteration, slot);
}

std::string describe(const Replay& replay) {
  const int64_t between = replay.iteration - 1 - replay.started_from;
  return fmt::format(
      "iteration {}, slot {}: loss {:.9g}, gradient hash {:08x} as in training\n"
      "from {}, {} iterations replayed to the logged hashes\n",
      replay.iteration, replay.slot, replay.task.loss, replay.task.hash,
      replay.started_from == 0 ? "the initial state"
                               : fmt::format("the checkpoint of iteration {}", replay.started_from),
      between);
}

}  // namespace outerloop::train
