#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda_bit_sums.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int64_t kWays = 16;

// Element e is a sum of a part: 16 of the words, 16 of the running sums. The last are weighted sums
// of the words: words of a chain of m count m, m - 1, …, 1 times.
KernelCode bit_sums_kernel(const std::vector<int64_t>& ends) {
  return element_kernel(
      2, static_cast<int64_t>(ends.size()) * 2 * kWays, Team{},
      fmt::format("constexpr unsigned borders[] = {{0, {0}}};\n"
                  "const unsigned part = e / 32, way = e % 16;\n"
                  "const unsigned groups = (borders[part + 1] - borders[part]) / 16;\n"
                  "const unsigned even = groups / 2 + groups % 2, odd = groups / 2;\n"
                  "const unsigned* words = p.get<const unsigned>(0) + borders[part] + way;\n"
                  "unsigned sum = 0;\n"
                  "for (unsigned g = 0; g < groups; ++g) {{\n"
                  "const unsigned times = g % 2 == 0 ? even - g / 2 : 3 * (odd - g / 2);\n"
                  "sum += words[g * 16] * (e % 32 < 16 ? 1 : times);\n}}\n"
                  "p.get<unsigned>(1)[e] = sum;\n",
                  fmt::join(ends, ", ")));
}

}  // namespace

struct BitSums::Impl {
  std::shared_ptr<Device> device;
  KernelCode code;
  DeviceFunction function;
};

BitSums::BitSums(std::shared_ptr<Device> device, const std::vector<int64_t>& ends)
    : impl_(std::make_unique<Impl>()) {
  for (int64_t end : ends) OL_ASSERT(end % kWays == 0, "parts end at multiples of 16");
  impl_->code = bit_sums_kernel(ends);
  const KernelSource source = kernel_source(impl_->code);
  impl_->function = device->compile(device_prelude(), {&source, 1}).front();
  impl_->device = std::move(device);
}
BitSums::~BitSums() = default;

void BitSums::run(const DeviceStream& stream, int64_t lanes, const DeviceOperand& values,
                  const DeviceOperand& sums) {
  const std::array operands{values, sums};
  impl_->device->launch(stream, impl_->function, impl_->code.blocks * lanes, impl_->code.threads,
                        operands);
}

}  // namespace outerloop::exec::cuda
