#include "outerloop/comm/collective_log.h"

#include <fmt/format.h>

#include <algorithm>

namespace outerloop::comm {

const char* name(Verb verb) {
  constexpr std::array<const char*, kVerbs> kNames{"barrier",    "broadcast",  "all_gather",
                                                   "all_to_all", "all_reduce", "all_reduce_fast"};
  return kNames[static_cast<size_t>(verb)];
}

std::string describe(const Collective& collective) {
  return fmt::format("{} '{}' (#{})", name(collective.verb), collective.label, collective.sequence);
}

uint64_t CollectiveLog::enter(Verb verb, Label label, int64_t bytes) {
  const uint64_t sequence = entered_.load(std::memory_order_relaxed) + 1;
  Entry& entry = entries_[sequence % kKept];
  entry.stamp.store(0, std::memory_order_relaxed);
  entry.verb.store(verb, std::memory_order_release);
  entry.label.store(label.text(), std::memory_order_release);
  entry.bytes.store(bytes, std::memory_order_release);
  entry.left.store(false, std::memory_order_release);
  entry.stamp.store(sequence, std::memory_order_release);
  entered_.store(sequence, std::memory_order_release);
  return sequence;
}

void CollectiveLog::leave(uint64_t sequence) {
  Entry& entry = entries_[sequence % kKept];
  if (entry.stamp.load(std::memory_order_relaxed) != sequence) return;  // overwritten by now
  entry.left.store(true, std::memory_order_release);
}

bool CollectiveLog::read(uint64_t sequence, Collective& collective) const {
  const Entry& entry = entries_[sequence % kKept];
  if (entry.stamp.load(std::memory_order_acquire) != sequence) return false;
  collective = {sequence, entry.verb.load(std::memory_order_acquire),
                entry.label.load(std::memory_order_acquire),
                entry.bytes.load(std::memory_order_acquire),
                entry.left.load(std::memory_order_acquire)};
  return entry.stamp.load(std::memory_order_relaxed) == sequence;
}

std::vector<Collective> CollectiveLog::recent() const {
  const uint64_t last = entered();
  std::vector<Collective> found;
  for (uint64_t s = last - std::min<uint64_t>(last, kKept) + 1; s <= last; ++s) {
    Collective collective;
    if (read(s, collective)) found.push_back(collective);
  }
  return found;
}

Collective CollectiveLog::last() const {
  Collective collective;
  while (const uint64_t sequence = entered()) {
    if (read(sequence, collective)) break;
  }
  return collective;
}

}  // namespace outerloop::comm
