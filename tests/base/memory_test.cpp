#include "outerloop/base/memory.h"

#include <gtest/gtest.h>

#include "base/system_files.h"
#include "io/temporary_folder.h"

namespace outerloop {
namespace {

struct MemoryCase {
  std::string name;
  SystemFiles files;
  std::optional<int64_t> available;
};

const std::string kMachine =
    "MemTotal:       9000 kB\nMemFree:         100 kB\nMemAvailable:   5000 kB\nSwapFree: 24 kB\n";

TEST(Memory, IsTheLeastThatMachineAndControlGroupsLeave) {
  const std::string v1 = "sys/fs/cgroup/memory/", v2 = "sys/fs/cgroup/";
  const MemoryCase cases[] = {
      {"unknown", {}, std::nullopt},
      {"machine", {{"proc/meminfo", kMachine}}, 5024 * 1024},
      {"a container",
       {{"proc/meminfo", kMachine},
        {"proc/self/cgroup", "0::/\n"},
        {v2 + "memory.max", "1000000\n"},
        {v2 + "memory.current", "900000\n"},
        {v2 + "memory.stat", "anon 600000\ninactive_file 200000\nactive_file 50000\n"}},
       350000},
      {"a group without a limit below one that has one",
       {{"proc/meminfo", kMachine},
        {"proc/self/cgroup", "0::/job/step\n"},
        {v2 + "job/step/memory.max", "max\n"},
        {v2 + "job/step/memory.current", "10\n"},
        {v2 + "job/memory.max", "3000\n"},
        {v2 + "job/memory.current", "1000\n"}},
       2000},
      {"version 1 beside an empty version 2",
       {{"proc/meminfo", kMachine},
        {"proc/self/cgroup", "4:memory:/job\n1:cpu:/\n0::/\n"},
        {v1 + "job/memory.limit_in_bytes", "70000\n"},
        {v1 + "job/memory.usage_in_bytes", "60000\n"},
        {v1 + "job/memory.stat", "inactive_file 1\ntotal_inactive_file 500\n"},
        {v1 + "memory.limit_in_bytes", "9223372036854771712\n"},
        {v1 + "memory.usage_in_bytes", "60000\n"}},
       10500},
      {"more in use than allowed",
       {{"proc/meminfo", kMachine},
        {"proc/self/cgroup", "0::/\n"},
        {v2 + "memory.max", "1000\n"},
        {v2 + "memory.current", "1200\n"}},
       0},
  };
  for (const auto& [name, files, available] : cases) {
    const TemporaryFolder root;
    write_files(root.path(), files);
    EXPECT_EQ(available_memory(root.path()), available) << name;
  }
}

TEST(Memory, TooLargeAPieceIsFoundSo) {
  const auto available = available_memory();
  if (!available) GTEST_SKIP() << "this system does not tell how much memory is free";
  EXPECT_TRUE(has_memory_for(1 << 20));
  EXPECT_FALSE(has_memory_for(static_cast<size_t>(*available) * 4));
}

}  // namespace
}  // namespace outerloop
