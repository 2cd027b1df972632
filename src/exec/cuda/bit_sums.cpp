#include "exec/cuda/bit_sums.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "exec/cuda/single_kernel.h"
#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda_bit_sums.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int64_t kWays = 16;

}  // namespace

// A block hashes a part. Its words' running sums are weighted sums of the words: words of a chain
// of m count m, m - 1, …, 1 times.
KernelCode bit_sums_kernel(const std::vector<int64_t>& ends) {
  return {.run = run_head(3) +
                 fmt::format(
                     "constexpr unsigned borders[] = {{0, {0}}};\n"
                     "const unsigned count = borders[block + 1] - borders[block];\n"
                     "const unsigned groups = count / 16;\n"
                     "const unsigned even = groups / 2 + groups % 2, odd = groups / 2;\n"
                     "const unsigned* words = p.get<const unsigned>(0) + borders[block];\n"
                     "unsigned hash = 0;\n"
                     "bool finite = true;\n"
                     "for (unsigned i = threadIdx.x; i < count; i += {1}U) {{\n"
                     "const unsigned g = i / 16, way = i % 16, word = words[i];\n"
                     "const unsigned times = g % 2 == 0 ? even - g / 2 : 3 * (odd - g / 2);\n"
                     "hash += word * (0x9E3779B1U * (2 * way + 1) +\n"
                     "                times * (0x85EBCA6BU * (4 * way + 2)));\n"
                     "finite = ol::is_finite(word) && finite;\n}}\n"
                     "unsigned* parts = reinterpret_cast<unsigned*>(scratch);\n"
                     "const bool all = ol::all_of_block(finite, parts + {1});\n"
                     "parts[threadIdx.x] = hash;\n"
                     "__syncthreads();\n"
                     "for (unsigned half = {1}U / 2; half > 0; half /= 2) {{\n"
                     "if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];\n"
                     "__syncthreads();\n}}\n"
                     "if (threadIdx.x == 0) {{\n"
                     "p.get<unsigned>(1)[block] = parts[0];\n"
                     "p.get<unsigned>(2)[block] = all ? 1 : 0;\n}}\n}}\n",
                     fmt::join(ends, ", "), kBlockThreads),
          .kind = "bit_sums",
          .operands = 3,
          .threads = kBlockThreads,
          .blocks = static_cast<int64_t>(ends.size()),
          .scratch_bytes = 2 * kBlockThreads * static_cast<int64_t>(sizeof(uint32_t))};
}

struct BitSums::Impl {
  SingleKernel kernel;
};

BitSums::BitSums(std::shared_ptr<Device> device, const std::vector<int64_t>& ends) {
  for (int64_t end : ends) OL_ASSERT(end % kWays == 0, "parts end at multiples of 16");
  impl_ = std::make_unique<Impl>(SingleKernel(std::move(device), bit_sums_kernel(ends)));
}
BitSums::~BitSums() = default;

void BitSums::run(const DeviceStream& stream, int64_t lanes, const DeviceOperand& values,
                  const DeviceOperand& hashes, const DeviceOperand& finite) {
  const std::array operands{values, hashes, finite};
  impl_->kernel.run(stream, lanes, operands);
}

}  // namespace outerloop::exec::cuda
