#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "outerloop/base/program_files.h"
#include "outerloop/config/read.h"

namespace outerloop::config {
namespace {

namespace fs = std::filesystem;

// Where the shipped configs are, seen from the program: build/<preset>/outerloop in a source tree,
// bin/outerloop where it is installed.
std::vector<fs::path> shipped_folders() {
  const fs::path beside = program_files().command.parent_path();
  return {beside / "../../configs", beside / "../share/outerloop/configs"};
}

}  // namespace

fs::path find_file(const std::string& name, const fs::path& folder) {
  std::vector<fs::path> folders{folder.empty() ? "." : folder, "."};
  if (const char* data = std::getenv("OUTERLOOP_DATA"); data && *data) folders.emplace_back(data);
  for (const fs::path& shipped : shipped_folders()) folders.push_back(shipped);

  std::vector<std::string> tried;
  std::string a_folder;
  for (const fs::path& place : folders) {
    const fs::path candidate =
        (place / name).lexically_normal();  // absolute names stay as they are
    std::error_code error;
    if (fs::is_regular_file(candidate, error)) return candidate;
    if (a_folder.empty() && fs::is_directory(candidate, error)) a_folder = candidate.string();
    const bool is_new = std::ranges::find(tried, candidate.string()) == tried.end();
    if (is_new) tried.push_back(candidate.string());
  }
  if (!a_folder.empty()) {
    throw BadInput(fmt::format("{}: expected a file, it is a folder", a_folder));
  }
  if (fs::path(name).is_absolute()) throw BadInput(fmt::format("{}: no such file", name));
  throw BadInput(fmt::format("{}: no such file; looked for {}", name, fmt::join(tried, ", ")));
}

}  // namespace outerloop::config
