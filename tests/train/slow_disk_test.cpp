// A training whose disk takes longer for a checkpoint than it takes from one to the next.

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "support/message_of.h"
#include "train/runs.h"

// Of the whole program, instead of the C library's.
extern "C" int fsync(int descriptor) {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace outerloop::train {
namespace {

TEST(SlowDisk, CostsAKilledRunAtMostAnIntervalAndTheCheckpointBeingWritten) {
  constexpr int64_t kEvery = 2;
  const TemporaryFolder folder;
  Log log;
  std::string said;
  log.add(LogLevel::warning, [&said](LogLevel, std::string_view text) { said += text; });
  TrainOptions options;
  options.log = &log;
  options.on_iteration = [&](const Progress::Sample& sample) {
    const auto files = checkpoint::Store::open_read(folder / "run/ckpt").list();
    const int64_t on_disk = files.empty() ? 0 : files.back().iteration;
    EXPECT_LE(sample.done - on_disk, 2 * kEvery);
  };
  train(shipped("sinusoid_maml", folder / "run",
                {"outer.meta_batch=2", "outer.iterations=24", "validation.every=0", "test.tasks=0",
                 "checkpoint.every=2", "runtime.threads=1"}),
        options);
  EXPECT_CONTAINS(said, "the disk takes longer for a checkpoint than the training from one to");
  EXPECT_CONTAINS(said, "make checkpoints rarer (checkpoint.every");
}

}  // namespace
}  // namespace outerloop::train
