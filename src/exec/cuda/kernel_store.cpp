#include "exec/cuda/kernel_store.h"

#include <cstdlib>
#include <span>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"

namespace outerloop::exec::cuda {
namespace {

constexpr size_t kHashDigits = 32;

std::string hash_of(std::string_view code) {
  return to_hex(xxh3_128({reinterpret_cast<const std::byte*>(code.data()), code.size()}));
}

std::filesystem::path variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::filesystem::path kernel_folder() {
  if (const auto chosen = variable("OUTERLOOP_CACHE"); !chosen.empty()) return chosen;
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "outerloop" / "kernels";
  }
  const auto home = variable("HOME");
  return home.empty() ? "" : home / ".cache" / "outerloop" / "kernels";
}

KernelStore::KernelStore(std::filesystem::path folder, std::string compiler)
    : folder_(std::move(folder)), compiler_(std::move(compiler)) {}

std::filesystem::path KernelStore::file(const std::string& kernel) const {
  return folder_ / (kernel + "-" + compiler_ + ".cubin");
}

std::optional<std::string> KernelStore::find(const std::string& kernel) const {
  if (folder_.empty()) return {};
  try {
    const std::string content = read_file(file(kernel));
    if (content.size() <= kHashDigits) return {};
    std::string code = content.substr(kHashDigits);
    if (content.substr(0, kHashDigits) != hash_of(code)) return {};
    return code;
  } catch (const Error&) {
    return {};
  }
}

void KernelStore::keep(const std::string& kernel, const std::string& code) const {
  if (folder_.empty()) return;
  try {
    std::error_code failed;
    std::filesystem::create_directories(folder_, failed);
    if (!failed) write_file_atomically(file(kernel), hash_of(code) + code);
  } catch (const SystemFailure&) {
    // The kernel is compiled again next time.
  }
}

}  // namespace outerloop::exec::cuda
