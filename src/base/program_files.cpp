#include "outerloop/base/program_files.h"

namespace outerloop {
namespace fs = std::filesystem;

ProgramFiles program_files() {
  const fs::path running = fs::read_symlink("/proc/self/exe");
  const fs::path root = running.parent_path().parent_path();
  const ProgramFiles bundled{.code = root / "libexec/outerloop", .command = root / "bin/outerloop"};
  std::error_code error;
  const bool loader = running.filename().native().starts_with("ld-");
  if (loader && fs::exists(bundled.code, error)) return bundled;
  return {.code = running, .command = running};
}

}  // namespace outerloop
