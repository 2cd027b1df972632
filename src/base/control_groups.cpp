#include "base/control_groups.h"

#include <fstream>
#include <sstream>
#include <string>

namespace outerloop {
namespace {

namespace fs = std::filesystem;

void visit_upwards(const fs::path& top, fs::path group, int version, const GroupVisitor& visit) {
  for (; !group.empty(); group = group.parent_path()) visit(top / group, version);
  visit(top, version);
}

bool has_word(const std::string& list, std::string_view wanted) {
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');) {
    if (word == wanted) return true;
  }
  return false;
}

}  // namespace

// Lines of /proc/self/cgroup: "4:cpu,cpuacct:/group" of version 1, "0::/group" of version 2.
void for_each_group(const fs::path& root, std::string_view controller, const GroupVisitor& visit) {
  const fs::path folder = root / "sys/fs/cgroup";
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string which = line.substr(first + 1, second - first - 1);
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    if (which.empty()) visit_upwards(folder, group, 2, visit);
    if (has_word(which, controller)) visit_upwards(folder / controller, group, 1, visit);
  }
}

}  // namespace outerloop
