#include "outerloop/base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace outerloop {

std::string errno_text(int error) {
  std::string text = std::strerror(error);
  if (error == EFBIG) {
    text += ": larger than this process may write (ulimit -f), or than the file system holds";
  }
  return text;
}

void throw_errno(const std::string& file, const char* step) {
  throw SystemFailure(fmt::format("{}: cannot {}: {}", file, step, errno_text(errno)));
}

void throw_internal_error(const char* expression, const char* file, int line,
                          const std::string& message) {
  throw InternalError(
      fmt::format("{}:{}: invariant '{}' is broken: {}", file, line, expression, message));
}

}  // namespace outerloop
