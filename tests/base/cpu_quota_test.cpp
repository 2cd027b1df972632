#include "outerloop/base/cpu_quota.h"

#include <gtest/gtest.h>

#include "base/system_files.h"
#include "io/temporary_folder.h"
#include "outerloop/base/thread_pool.h"

namespace outerloop {
namespace {

struct QuotaCase {
  std::string name;
  SystemFiles files;
  std::optional<double> quota;
};

TEST(CpuQuota, IsTheLeastOfAllControlGroups) {
  const std::string v1 = "sys/fs/cgroup/cpu/", v2 = "sys/fs/cgroup/", own = "proc/self/cgroup";
  const QuotaCase cases[] = {
      {"unknown", {}, std::nullopt},
      {"no limit", {{own, "0::/\n"}, {v2 + "cpu.max", "max 100000\n"}}, std::nullopt},
      {"a container", {{own, "0::/\n"}, {v2 + "cpu.max", "250000 100000\n"}}, 2.5},
      {"a job below a user who has less",
       {{own, "0::/user/job\n"},
        {v2 + "user/job/cpu.max", "400000 100000\n"},
        {v2 + "user/cpu.max", "150000 100000\n"}},
       1.5},
      {"version 1",
       {{own, "4:memory:/\n3:cpu,cpuacct:/job\n"},
        {v1 + "job/cpu.cfs_quota_us", "50000\n"},
        {v1 + "job/cpu.cfs_period_us", "100000\n"},
        {v1 + "cpu.cfs_quota_us", "-1\n"},
        {v1 + "cpu.cfs_period_us", "100000\n"}},
       0.5},
      {"another controller of version 1",
       {{own, "3:cpuset:/\n"}, {v1 + "cpu.cfs_quota_us", "1\n"}, {v1 + "cpu.cfs_period_us", "1\n"}},
       std::nullopt},
  };
  for (const auto& [name, files, quota] : cases) {
    const TemporaryFolder root;
    write_files(root.path(), files);
    EXPECT_EQ(cpu_quota(root.path()), quota) << name;
  }
}

TEST(CpuQuota, IsFilledByThreadsOnAtMostAllCores) {
  const int cores = static_cast<int>(allowed_cores().size());
  const std::pair<const char*, int> cases[] = {
      {"50000", 1}, {"190000", 1}, {"999900000", cores}, {"max", cores}};
  for (const auto& [quota, threads] : cases) {
    const TemporaryFolder root;
    write_files(root.path(), {{"proc/self/cgroup", "0::/\n"},
                              {"sys/fs/cgroup/cpu.max", std::string(quota) + " 100000\n"}});
    EXPECT_EQ(fitting_threads(root.path()), threads) << quota;
  }
}

}  // namespace
}  // namespace outerloop
