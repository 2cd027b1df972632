#include "outerloop/base/error.h"

#include <fmt/format.h>

namespace outerloop {

void throw_internal_error(const char* expression, const char* file, int line,
                          const std::string& message) {
  throw InternalError(
      fmt::format("{}:{}: invariant '{}' is broken: {}", file, line, expression, message));
}

}  // namespace outerloop
