#pragma once
// Who has which cell on lease. Knows neither clocks nor messages: the time is handed in.

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

namespace outerloop::farm {

class Ledger {
 public:
  using Clock = std::chrono::steady_clock;

  // `cells` are to be done, in this order; indices below `all`.
  Ledger(size_t all, const std::vector<size_t>& cells, Clock::duration lease);

  // Leases up to `most` cells to the worker: new ones first; where there are none, one whose lease
  // to another worker has run out.
  std::vector<size_t> take(int worker, size_t most, Clock::time_point now);
  // The cell is done. False when it was before.
  bool finish(size_t cell);

  bool complete() const { return left_ == 0; }
  int64_t left() const { return left_; }
  // Not given to anybody yet.
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Lease {
    size_t cell;
    int worker;
    Clock::time_point end;
  };

  std::deque<size_t> waiting_;
  std::deque<Lease> leases_;  // by rising end; those of finished cells go when they are met
  std::vector<bool> open_;    // by cell: to be done and not done yet
  Clock::duration lease_;
  int64_t left_ = 0;
};

}  // namespace outerloop::farm
