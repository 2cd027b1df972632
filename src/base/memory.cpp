#include "outerloop/base/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "base/control_groups.h"

namespace outerloop {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWorthAsking = std::size_t{32} << 20;  // takes longer to fill than to ask

// The first number of a file; nothing for "max".
std::optional<int64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  int64_t number = 0;
  if (in >> number) return number;
  return std::nullopt;
}

// The sum of the numbers behind some words, each the first of its line.
std::optional<int64_t> sum_of(const fs::path& file, std::initializer_list<std::string_view> words) {
  std::ifstream in(file);
  std::optional<int64_t> sum;
  std::string word, rest;
  for (int64_t number = 0; in >> word >> number; std::getline(in, rest)) {
    if (std::ranges::find(words, word) != words.end()) sum = sum.value_or(0) + number;
  }
  return sum;
}

struct Names {
  std::string limit, used;
  std::initializer_list<std::string_view> cached;  // counted as used, but free when asked for
};
const Names kVersion1{
    "memory.limit_in_bytes", "memory.usage_in_bytes", {"total_inactive_file", "total_active_file"}};
const Names kVersion2{"memory.max", "memory.current", {"inactive_file", "active_file"}};

int64_t left_in_groups(const fs::path& root) {
  int64_t left = std::numeric_limits<int64_t>::max();
  for_each_group(root, "memory", [&](const fs::path& group, int version) {
    const Names& names = version == 1 ? kVersion1 : kVersion2;
    const auto limit = number_in(group / names.limit), used = number_in(group / names.used);
    if (!limit || !used) return;
    const int64_t cached = sum_of(group / "memory.stat", names.cached).value_or(0);
    left = std::min(left, std::max<int64_t>(0, *limit - *used + cached));
  });
  return left;
}

}  // namespace

std::optional<int64_t> available_memory(const fs::path& root) {
  const auto kib = sum_of(root / "proc/meminfo", {"MemAvailable:", "SwapFree:"});
  if (!kib) return std::nullopt;
  return std::min(*kib * 1024, left_in_groups(root));
}

bool has_memory_for(std::size_t bytes) {
  if (bytes < kWorthAsking) return true;
  const auto available = available_memory();
  return !available || bytes <= static_cast<std::size_t>(*available);
}

}  // namespace outerloop
