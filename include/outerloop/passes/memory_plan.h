#pragma once
// Static memory: the lifetime of each value gives its offset in one arena.

#include <cstdint>
#include <span>
#include <vector>

namespace outerloop::passes {

// A buffer that lives from the step that writes it to the last step that reads it (inclusive).
struct Lifetime {
  int64_t bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  // bytes, multiples of kAlignment; by buffer
  int64_t arena_bytes = 0;       // the highest end of a buffer, to the byte
  int64_t peak_live_bytes = 0;   // the largest sum of live buffers: no plan can be smaller
};

inline constexpr int64_t kAlignment = 64;

// Best fit, large buffers first. Buffers whose lifetimes overlap never overlap in memory.
MemoryPlan plan_memory(std::span<const Lifetime> lifetimes);

}  // namespace outerloop::passes
