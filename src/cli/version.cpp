#include "cli/version.h"

#include <fmt/format.h>

#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/exec/isa.h"

namespace outerloop::cli {
namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = "clang";
#else
constexpr std::string_view kCompiler = "g++";
#endif

}  // namespace

std::string version_text() {
  return fmt::format("outerloop {}\ncompiler   {} {}\nformat     checkpoint {}\nkernels    {}",
                     OUTERLOOP_VERSION, kCompiler, __VERSION__, checkpoint::kFormatVersion,
                     exec::name_of(exec::select_isa()));
}

}  // namespace outerloop::cli
