#include "cli/version.h"

#include <fmt/format.h>

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/exec/isa.h"
#include "outerloop/train/build_info.h"

namespace outerloop::cli {
namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = "clang";
#else
constexpr std::string_view kCompiler = "g++";
#endif

}  // namespace

std::string version_text() {
  const std::string_view commit = train::build_commit();
  return fmt::format(
      "outerloop {}\ncommit     {}\ncompiler   {} {}\nformat     checkpoint {}\nkernels    {}",
      train::build_version(), commit.empty() ? "unknown (built outside git)" : commit, kCompiler,
      __VERSION__, checkpoint::kFormatVersion, exec::name_of(exec::select_isa()));
}

}  // namespace outerloop::cli
