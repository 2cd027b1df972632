#pragma once
// A folder of checkpoints, ckpt-<iteration, 9 digits>.h5, with the links `latest` and `best`.
//
// Saving: temporary file, sync, verify, rename, sync the folder, link; then old files are removed.
// So whatever is killed when, the newest file that has its final name is whole.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "outerloop/checkpoint/checkpoint.h"

namespace outerloop::checkpoint {

struct Retention {
  int keep_last = std::numeric_limits<int>::max();  // newest checkpoints; at least 1
  int64_t keep_every = 0;  // also every checkpoint whose iteration is a multiple; 0: none
  bool keep_best = true;   // also the one that was last saved as best

  // Whatever comes later.
  bool keeps_for_good(int64_t iteration) const {
    return keep_every > 0 && iteration % keep_every == 0;
  }
};

struct StoredFile {
  int64_t iteration = 0;
  std::filesystem::path file;
};

// Takes one line on something that was passed over, such as a damaged checkpoint.
using Notice = std::function<void(const std::string&)>;

class Store {
 public:
  // For the one process that writes: creates the folder. Throws SystemFailure when it cannot be
  // written.
  explicit Store(std::filesystem::path folder, Retention retention = {});
  // For readers beside a training that may be running: changes nothing, save() is forbidden. Throws
  // BadInput when there is no such folder.
  static Store open_read(std::filesystem::path folder);
  // Whether a store gives files, or links, this name.
  static bool gives_name(std::string_view name);

  const std::filesystem::path& folder() const { return folder_; }

  // Returns the file. An existing file of this iteration is replaced; those of later iterations
  // are set aside.
  std::filesystem::path save(const Checkpoint& checkpoint, bool is_best = false);

  // Points `best` at the checkpoint of this iteration. Throws BadInput when there is none.
  void mark_best(int64_t iteration);

  // This store does not remove the file, if it is one of its own. Not while another thread saves.
  void keep(std::filesystem::path file);

  // Files of later iterations belong to a course that is given up: they are renamed to
  // *.superseded. Returns how many.
  int64_t set_aside_later_than(int64_t iteration) const;

  // The newest checkpoint that passes every check; each damaged one is told to `skipped`. A writer
  // also removes temporary files that a killed run left. Nothing when there is no checkpoint;
  // throws CorruptFile when there are checkpoints and all are damaged, NewerFormat at once.
  std::optional<Checkpoint> load_newest(const Notice& skipped = {});

  // By iteration, oldest first.
  std::vector<StoredFile> list() const;
  // The file that `best` points to, if any. In a copy where links became files, that file; in one
  // that lost its links, what the newest checkpoint says.
  std::optional<std::filesystem::path> best() const;
  std::filesystem::path file_of(int64_t iteration) const;
  const Retention& retention() const { return retention_; }

 private:
  Store() = default;
  std::optional<std::filesystem::path> best_without_links() const;
  void remove_stale() const;
  void remove_old() const;

  std::filesystem::path folder_;
  Retention retention_;
  bool writing_ = true;
  int64_t resumed_from_ = -1;
  std::vector<std::filesystem::path> kept_;
};

// Saves in a thread of its own, in order, while the training goes on. It waits only where a disk
// takes longer for a checkpoint than the training for a whole interval: save() returns when all
// checkpoints that are `interval` or more iterations older are on disk. So whatever is killed when,
// at most one interval is lost and, before it, the checkpoint that was being written: together
// 2 * interval iterations, less where the disk is faster. An error of the writer is thrown by the
// next call of save(), check() or finish(); what was unwritten then is dropped.
class BackgroundSaver {
 public:
  // `interval`: iterations between regular checkpoints; 0: there are none, and so no such bound.
  // The store must outlive this.
  explicit BackgroundSaver(Store& store, int64_t interval = 0);
  ~BackgroundSaver();  // waits; an error that nobody asked for is lost, so call finish()
  BackgroundSaver(const BackgroundSaver&) = delete;
  BackgroundSaver& operator=(const BackgroundSaver&) = delete;

  // Copies the checkpoint and returns for how many seconds it waited before: for one an interval
  // older, or for one of kMostUnwritten. The writer calls `before` just before it writes
  // this one, `after` when it is on disk.
  double save(const Checkpoint& checkpoint, bool is_best = false, std::function<void()> before = {},
              std::function<void()> after = {});
  // Throws what has failed so far, so that not all of the next interval is lost, too.
  void check();
  // Waits until everything is on disk.
  void finish();

 private:
  struct Job {
    Checkpoint checkpoint;
    bool is_best = false;
    std::function<void()> before, after;
  };
  static constexpr size_t kMostUnwritten = 8;

  void work();
  bool has_room_for(int64_t iteration) const;
  void rethrow();

  Store& store_;
  int64_t interval_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> unwritten_;  // the first is being written
  bool ending_ = false;
  std::exception_ptr error_;
  std::thread writer_;
};

}  // namespace outerloop::checkpoint
