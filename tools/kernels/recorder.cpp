#include "kernels/recorder.h"

#include <algorithm>
#include <memory>

#include "outerloop/base/error.h"

namespace outerloop::kernels {
namespace {

// "ol_<kind>_<hash>"
std::string kind_of(const std::string& kernel) {
  const size_t first = kernel.find('_') + 1;
  return kernel.substr(first, kernel.rfind('_') - first);
}

}  // namespace

void Recorder::begin(std::string origin, size_t shared_bytes_on_request) {
  origin_ = std::move(origin);
  limits_.shared_bytes_on_request = shared_bytes_on_request;
}

exec::DeviceMemory Recorder::allocate(size_t bytes) {
  constexpr uintptr_t kAlignment = 256;
  auto* const data = reinterpret_cast<std::byte*>(next_address_);
  next_address_ += (bytes + kAlignment) / kAlignment * kAlignment;
  return {nullptr, data, bytes};
}

// The host writes here.
exec::PinnedMemory Recorder::allocate_pinned(size_t bytes) {
  const auto memory = std::make_shared_for_overwrite<std::byte[]>(bytes);
  return {memory, {memory.get(), bytes}};
}

std::vector<exec::DeviceFunction> Recorder::compile(std::string_view,
                                                    std::span<const exec::KernelSource> kernels) {
  std::vector<exec::DeviceFunction> functions;
  for (const exec::KernelSource& source : kernels) {
    Kernel& kernel = kernels_.try_emplace(source.name, Kernel{source, origin_}).first->second;
    OL_ASSERT(kernel.source.text == source.text, "two kernels are named " + source.name);
    functions.push_back({nullptr, &kernel, source.shared_bytes});
  }
  return functions;
}

void Recorder::launch(const exec::DeviceStream&, const exec::DeviceFunction& function,
                      int64_t blocks, int threads, std::span<const exec::DeviceOperand> operands) {
  Kernel& kernel = *static_cast<Kernel*>(function.handle);
  kernel.threads = threads;
  kernel.blocks = std::max(kernel.blocks, blocks);
  kernel.operands = operands.size();
  ++graph_[kind_of(kernel.source.name)];
}

}  // namespace outerloop::kernels
