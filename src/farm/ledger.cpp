#include "farm/ledger.h"

#include "outerloop/base/error.h"

namespace outerloop::farm {

Ledger::Ledger(size_t all, const std::vector<size_t>& cells, Clock::duration lease)
    : waiting_(cells.begin(), cells.end()),
      open_(all),
      lease_(lease),
      left_(static_cast<int64_t>(cells.size())) {
  for (const size_t cell : cells) open_.at(cell) = true;
}

std::vector<size_t> Ledger::take(int worker, size_t most, Clock::time_point now) {
  std::vector<size_t> cells;
  while (cells.size() < most && !waiting_.empty()) {
    const size_t cell = waiting_.front();
    waiting_.pop_front();
    cells.push_back(cell);
    leases_.push_back({cell, worker, now + lease_});
  }
  if (!cells.empty() || most == 0) return cells;
  std::erase_if(leases_, [this](const Lease& lease) { return !open_[lease.cell]; });
  for (auto lease = leases_.begin(); lease != leases_.end() && lease->end <= now; ++lease) {
    if (lease->worker == worker) continue;
    const size_t cell = lease->cell;
    leases_.erase(lease);
    leases_.push_back({cell, worker, now + lease_});
    return {cell};
  }
  return {};
}

bool Ledger::finish(size_t cell) {
  OL_ASSERT(cell < open_.size(), "no such cell");
  if (!open_[cell]) return false;
  open_[cell] = false;
  --left_;
  return true;
}

}  // namespace outerloop::farm
