#include "comm/nccl/library.h"

#include <fmt/format.h>

#include "comm/nccl/check.h"
#include "outerloop/base/shared_library.h"

namespace outerloop::comm {
namespace {

constexpr int kOldest = NCCL_VERSION(2, 14, 0);  // the first whose calls can return at once

constexpr const char* kAdvice =
    "install NCCL 2.14 or newer, or name its libnccl.so.2 in OUTERLOOP_NCCL";

std::string text_of(int version) {
  if (version < 10'000) {  // as they were counted up to 2.8
    return fmt::format("{}.{}.{}", version / 1000, version / 100 % 10, version % 100);
  }
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

int version_number(const NcclLibrary& library) {
  int version = 0;
  OL_NCCL((NcclContext{library}), ncclGetVersion(&version));
  return version;
}

NcclLibrary load(const std::string& file) {
  const SharedLibrary opened({file});
  if (!opened.is_open()) {
    throw NcclError(fmt::format("NCCL cannot be loaded ({}); {}", opened.why_not(), kAdvice));
  }
  const auto find = [&](const char* name) {
    void* found = opened.find(name);
    if (found != nullptr) return found;
    throw NcclError(
        fmt::format("{} is not an NCCL that can be used: it has no {}; {}", file, name, kAdvice));
  };
  NcclLibrary library;
#define OL_NCCL_FIND(function) \
  library.function = reinterpret_cast<decltype(library.function)>(find(#function));
  OL_NCCL_FUNCTIONS(OL_NCCL_FIND)
#undef OL_NCCL_FIND
  const int version = version_number(library);
  if (version < kOldest) {
    throw NcclError(
        fmt::format("{} is NCCL {}, which is too old; {}", file, text_of(version), kAdvice));
  }
  return library;
}

}  // namespace

NcclLibrary load_nccl(const NcclOptions& options) {
  if (options.named.empty()) return load(options.library);
  try {
    return load(options.named);
  } catch (const NcclError& error) {
    throw BadInput(error.what());
  }
}

std::string nccl_version(const NcclOptions& options) {
  return version_of(load_nccl(options));
}

std::string version_of(const NcclLibrary& library) {
  return text_of(version_number(library));
}

}  // namespace outerloop::comm
