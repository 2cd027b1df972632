#pragma once
// The control groups (Linux cgroups, versions 1 and 2) that limit this process.

#include <filesystem>
#include <functional>
#include <string_view>

namespace outerloop {

// The folder of each group that this process is in, and of those above it, for one controller of
// version 1 ("memory", "cpu") and for version 2. `root` holds proc and sys.
using GroupVisitor = std::function<void(const std::filesystem::path& folder, int version)>;
void for_each_group(const std::filesystem::path& root, std::string_view controller,
                    const GroupVisitor& visit);

}  // namespace outerloop
