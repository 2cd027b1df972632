#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "farm/desk.h"
#include "farm/journal_file.h"
#include "farm/ledger.h"
#include "farm/live.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/farm/run.h"

namespace outerloop::farm {

class Leader final : public Desk {
 public:
  using Clock = Ledger::Clock;

  // `results`: those of earlier runs; later ones are added. `journal` may be null. `threads`: on
  // all ranks.
  Leader(const Job& job, Results& results, JournalFile* journal, comm::Communicator& ranks,
         int64_t threads, const RunOptions& options);
  ~Leader() override;

  std::optional<size_t> next(int thread) override;
  void deliver(size_t cell, std::span<const double> values) override;
  void stop(const std::string& why) override;
  void fail(const comm::Failure& failure) override;
  void serve() override;
  void give_up() override;
  void close() override;

  // After serve().
  Progress progress() const { return {.done = total_ - ledger_.left(), .cells = total_}; }
  // What the other ranks heard too; where there are none, nothing when all was done in the end.
  std::string stopped() const { return workers_.empty() && ledger_.complete() ? "" : told_; }
  const std::optional<comm::Failure>& failure() const { return failure_; }
  // Whether the other ranks know of the failure, or its absence, and have gone.
  bool in_step() const { return failure_.has_value() == told_failure_ && hung().empty(); }
  std::vector<int> hung() const;

 private:
  // One of the other ranks.
  struct Worker {
    int rank;
    size_t wanted = 0;
    size_t idle = 1;    // threads that wait for them
    size_t leases = 0;  // sent
    bool gone = false;  // it said goodbye
  };

  // These four with the mutex held.
  bool over() const;
  void accept(size_t cell, std::span<const double> values);
  void stop_for(const std::string& why);
  void fail_for(const comm::Failure& failure);

  bool read_letters();
  void read(Worker& worker, std::span<const std::byte> letter);
  void lease_cells();
  void look_around();
  void report(Clock::time_point now);
  void post_end();
  bool is_waited_for() const;
  bool everybody_gone() const;
  std::string place_of(const Worker& worker) const;

  const Job& job_;
  Results& results_;
  JournalFile* journal_;
  comm::Communicator& ranks_;
  const RunOptions& options_;
  const Clock::time_point begun_ = Clock::now();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Ledger ledger_;
  Live live_;
  int64_t total_ = 0;
  std::string stopped_;
  std::optional<comm::Failure> failure_;
  bool closed_ = false;

  // Of the serving thread alone.
  std::vector<Worker> workers_;
  std::vector<double> values_;
  Clock::time_point asked_, synced_, reported_;
  std::string told_;  // why it stopped
  bool told_failure_ = false;
};

}  // namespace outerloop::farm
