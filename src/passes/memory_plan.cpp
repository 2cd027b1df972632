#include "outerloop/passes/memory_plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

namespace outerloop::passes {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

int64_t peak(std::span<const Lifetime> lifetimes) {
  std::map<int32_t, int64_t> change;
  for (const Lifetime& buffer : lifetimes) {
    change[buffer.first] += buffer.bytes;
    change[buffer.last + 1] -= buffer.bytes;
  }
  int64_t live = 0;
  int64_t highest = 0;
  for (const auto& [step, delta] : change) highest = std::max(highest, live += delta);
  return highest;
}

struct Placed {
  int64_t begin = 0;
  int64_t end = 0;
  int32_t first = 0;
  int32_t last = 0;
};

// The smallest gap that holds `bytes` between the placed buffers alive at the same time; `placed`
// is sorted by begin.
int64_t best_gap(const std::vector<Placed>& placed, const Lifetime& buffer, int64_t bytes) {
  int64_t best = -1;
  int64_t best_size = std::numeric_limits<int64_t>::max();
  int64_t cursor = 0;
  for (const Placed& other : placed) {
    if (other.last < buffer.first || buffer.last < other.first) continue;
    const int64_t gap = other.begin - cursor;
    if (gap >= bytes && gap < best_size) {
      best = cursor;
      best_size = gap;
    }
    cursor = std::max(cursor, other.end);
  }
  return best >= 0 ? best : cursor;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> lifetimes) {
  std::vector<size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(
      order, [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });

  MemoryPlan plan{.offsets = std::vector<int64_t>(lifetimes.size(), 0)};
  plan.peak_live_bytes = peak(lifetimes);
  std::vector<Placed> placed;
  for (size_t index : order) {
    const Lifetime& buffer = lifetimes[index];
    const int64_t bytes = aligned(buffer.bytes);
    const int64_t begin = best_gap(placed, buffer, bytes);
    plan.offsets[index] = begin;
    plan.arena_bytes = std::max(plan.arena_bytes, begin + buffer.bytes);
    const Placed entry{begin, begin + bytes, buffer.first, buffer.last};
    placed.insert(std::ranges::upper_bound(placed, begin, {}, &Placed::begin), entry);
  }
  return plan;
}

}  // namespace outerloop::passes
