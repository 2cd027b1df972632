#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "farm/desk.h"
#include "farm/letters.h"
#include "outerloop/comm/communicator.h"
#include "outerloop/farm/run.h"

namespace outerloop::farm {

class Follower final : public Desk {
 public:
  Follower(comm::Communicator& ranks, const RunOptions& options);

  std::optional<size_t> next(int thread) override;
  void deliver(size_t cell, std::span<const double> values) override;
  void stop(const std::string& why) override;
  void fail(const comm::Failure& failure) override;
  void serve() override;
  void give_up() override;
  void close() override;

  // As the leader told it. After serve().
  const Progress& progress() const { return progress_; }
  const std::string& stopped() const { return stopped_; }
  const std::optional<comm::Failure>& failure() const { return failure_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool read_letters();
  void read(std::span<const std::byte> letter);
  void send_results();
  void ask_for_cells();
  void look_around();
  void require_leader();
  void nudge();
  void wait_for_work();

  comm::Communicator& ranks_;
  const RunOptions& options_;

  std::mutex mutex_;
  std::condition_variable changed_, nudged_;
  bool is_nudged_ = false;  // the serving thread is not to wait
  std::deque<size_t> cells_;
  LetterWriter results_{Subject::results};
  int64_t delivered_ = 0;
  size_t idle_ = 0;                              // threads that wait
  std::vector<std::vector<std::byte>> letters_;  // to be sent
  bool over_ = false;
  bool closed_ = false;

  // Of the serving thread alone.
  bool asked_for_cells_ = false;
  size_t asked_idle_ = 0;  // threads that had none then
  size_t leases_ = 0;      // that have come
  Clock::time_point begun_ = Clock::now();
  Clock::time_point asked_ = begun_, woke_ = begun_;
  Clock::duration silence_{};  // of the leader
  Progress progress_;
  std::string stopped_;
  std::optional<comm::Failure> failure_;
};

}  // namespace outerloop::farm
