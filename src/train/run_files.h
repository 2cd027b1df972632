#pragma once
// Everything that a training writes into its run folder: by the one process that leads.

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "outerloop/checkpoint/store.h"
#include "outerloop/config/config.h"
#include "outerloop/train/run_folder.h"
#include "outerloop/train/session.h"
#include "train/folder_claim.h"
#include "train/hash_file.h"
#include "train/metrics_log.h"
#include "train/time_log.h"

namespace outerloop::train {

class RunFiles {
 public:
  // `warn` takes one line on something that was passed over.
  using Warn = std::function<void(const std::string&)>;

  // Claims the folder and removes what killed processes were writing in it. Throws BadInput when
  // it cannot be claimed.
  RunFiles(const config::Config& config, const TrainOptions& options, Warn warn);

  // Throws where the checkpoint, read at this place, is of another run.
  using Check = std::function<void(const checkpoint::Checkpoint&, const std::filesystem::path&)>;

  // The checkpoint to go on from, if any.
  std::optional<checkpoint::Checkpoint> start_point(const Check& check);
  // Whether that is the checkpoint file of the command line. An interrupted run that has begun from
  // it goes on from its own checkpoints: who starts it again by the same command loses nothing.
  bool begins_from_file() const { return resume_from_.has_value(); }
  // What messages about the start point name: the checkpoint of the command line, or the run.
  std::filesystem::path source() const;

  // After start_point(): the best so far of a run that begins from a checkpoint file lies beside
  // it, or it is lost, with a warning. `best_iteration` is -1 where there is none.
  void read_best(int64_t best_iteration, const Check& check);

  // For the iterations from `iteration` on: config, manifest, logs; `best_iteration` is -1 where
  // there is none. A result that the run had is removed.
  void open(const config::Config& config, const std::string& manifest, const HashNames& hashed,
            int64_t iteration, int64_t best_iteration);

  void record(const nlohmann::ordered_json& line) { metrics_->record(line); }
  // Null where the run keeps none.
  HashWriter* hashes() { return hashes_ ? &*hashes_ : nullptr; }
  // Spent by earlier processes.
  const Effort& earlier() const { return time_->earlier(); }
  // Returns while the checkpoint is being written; warns once where disks hold the training up.
  void save(const checkpoint::Checkpoint& checkpoint, bool is_best, const Effort& effort);
  void check_saving() { saver_.check(); }
  void finish_saving();

  std::filesystem::path checkpoint_of(int64_t iteration) const { return store_.file_of(iteration); }
  // The best so far stays, whatever becomes better. Waits for the disk.
  void keep_best();
  // The best in validation, where one is kept: its file in the folder of checkpoints.
  std::optional<std::filesystem::path> best() const;

  bool stop_asked() const;
  void remove_stop_file() const;
  // Of a finished run, which the same command may begin again.
  void forget_beginning() const;
  const RunFolder& folder() const { return folder_; }

 private:
  bool has_begun_from(const std::string& hash) const;
  void give_up_later_than(int64_t iteration) const;
  void restore_best(int64_t best_iteration);
  void warn_of_lost_best(int64_t best_iteration, std::string_view why) const;

  RunFolder folder_;
  Resume resume_;
  std::optional<std::filesystem::path> resume_from_;
  bool keeps_best_;
  Warn warn_;
  FolderClaim claim_;
  checkpoint::Store store_;
  checkpoint::BackgroundSaver saver_;
  double waited_s_ = 0;     // for the disk
  std::string start_hash_;  // of the checkpoint file of the command line
  std::optional<checkpoint::Checkpoint> best_elsewhere_;
  bool has_saved_ = false;
  std::optional<MetricsLog> metrics_;
  std::optional<TimeLog> time_;
  std::optional<HashWriter> hashes_;
};

}  // namespace outerloop::train
