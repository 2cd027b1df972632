#include "outerloop/base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace outerloop {

void throw_errno(const std::string& file, const char* step) {
  throw SystemFailure(fmt::format("{}: cannot {}: {}", file, step, std::strerror(errno)));
}

void throw_internal_error(const char* expression, const char* file, int line,
                          const std::string& message) {
  throw InternalError(
      fmt::format("{}:{}: invariant '{}' is broken: {}", file, line, expression, message));
}

}  // namespace outerloop
