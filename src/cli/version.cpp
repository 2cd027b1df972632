#include "cli/version.h"

#include <fmt/format.h>

namespace outerloop::cli {

std::string version_text() {
  return fmt::format("outerloop {}\ncompiler {}\nfmt {}.{}.{}", OUTERLOOP_VERSION, __VERSION__,
                     FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
}

}  // namespace outerloop::cli
