#pragma once
// How much memory there is, so that too large a run is told of it and not killed for it: Linux
// promises more than it has and ends processes later, without a word.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace outerloop {

// Bytes that this process may still take: what the machine has free or can free, swap included,
// and what the limits of its control groups (v1 and v2) leave. Nothing where the system does not
// tell. `root` holds proc and sys.
std::optional<int64_t> available_memory(const std::filesystem::path& root = "/");

// To be asked before a piece of memory is taken and filled. Small ones pass without a look.
bool has_memory_for(std::size_t bytes);

}  // namespace outerloop
