#include "comm/nccl/check.h"

#include <fmt/format.h>

#include <string_view>

namespace outerloop::comm {

std::string error_text(const NcclContext& context, ncclResult_t result) {
  std::string text = context.library.ncclGetErrorString(result);
  const char* last = context.library.ncclGetLastError(context.comm);
  if (last == nullptr || *last == '\0') return text;
  // One line of it: the library may add a trace of its calls.
  const std::string_view all(last);
  return fmt::format("{}: {}", text, all.substr(0, all.find('\n')));
}

void throw_nccl_error(const NcclContext& context, ncclResult_t result, const char* call,
                      const char* file, int line) {
  const std::string_view expression(call);
  throw NcclError(fmt::format("{} failed{}: {} ({}:{})", expression.substr(0, expression.find('(')),
                              context.rank < 0 ? "" : fmt::format(" on rank {}", context.rank),
                              error_text(context, result), file, line));
}

}  // namespace outerloop::comm
