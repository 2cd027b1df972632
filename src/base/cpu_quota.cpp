#include "outerloop/base/cpu_quota.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "base/control_groups.h"
#include "outerloop/base/thread_pool.h"

namespace outerloop {
namespace {

namespace fs = std::filesystem;

// "200000 100000" of cpu.max: microseconds of work in microseconds of time; "max 100000": no limit.
// Version 1 has a file for each, and -1.
std::optional<double> quota_of(const fs::path& group, int version) {
  double work = 0, time = 0;
  if (version == 2) {
    std::ifstream(group / "cpu.max") >> work >> time;
  } else {
    std::ifstream(group / "cpu.cfs_quota_us") >> work;
    std::ifstream(group / "cpu.cfs_period_us") >> time;
  }
  if (work > 0 && time > 0) return work / time;
  return std::nullopt;
}

}  // namespace

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> least;
  for_each_group(root, "cpu", [&](const fs::path& group, int version) {
    const auto quota = quota_of(group, version);
    if (quota) least = std::min(*quota, least.value_or(*quota));
  });
  return least;
}

int fitting_threads(const fs::path& root) {
  const int cores = static_cast<int>(allowed_cores().size());
  const double quota = std::floor(cpu_quota(root).value_or(cores));
  return std::max(1, static_cast<int>(std::min<double>(cores, quota)));
}

}  // namespace outerloop
