#include <fmt/format.h>

#include <array>

#include "exec/cuda/single_kernel.h"
#include "exec/cuda/source_parts.h"
#include "outerloop/exec/cuda_commit.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int64_t kElementsOfBlock = 4 * kBlockThreads;

// Each block looks at all flags.
KernelCode commit_kernel(const Commit::Sizes& sizes) {
  const int64_t words = std::max(sizes.elements, sizes.hashes);
  return {.run = run_head(6) +
                 fmt::format(
                     "bool finite = true;\n"
                     "for (unsigned i = threadIdx.x; i < {0}U; i += {1}U)\n"
                     "finite = (p.get<const unsigned>(0)[i] != 0) && finite;\n"
                     "const bool made =\n"
                     "    ol::all_of_block(finite, reinterpret_cast<unsigned*>(scratch));\n"
                     "if (block == 0 && threadIdx.x == 0) *p.get<float>(5) = made ? 1 : 0;\n"
                     "if (!made) return;\n"
                     "for (unsigned i = threadIdx.x; i < {2}U; i += {1}U) {{\n"
                     "const unsigned e = block * {2}U + i;\n"
                     "if (e < {3}U) p.get<float>(3)[e] = p.get<const float>(1)[e];\n"
                     "if (e < {4}U) p.get<unsigned>(4)[e] = p.get<const unsigned>(2)[e];\n"
                     "}}\n}}\n",
                     sizes.flags, kBlockThreads, kElementsOfBlock, sizes.elements, sizes.hashes),
          .kind = "commit",
          .operands = 6,
          .threads = kBlockThreads,
          .blocks = blocks_for(words, kElementsOfBlock),
          .scratch_bytes = kBlockThreads * static_cast<int64_t>(sizeof(uint32_t))};
}

}  // namespace

struct Commit::Impl {
  SingleKernel kernel;
};

Commit::Commit(std::shared_ptr<Device> device, const Sizes& sizes)
    : impl_(std::make_unique<Impl>(SingleKernel(std::move(device), commit_kernel(sizes)))) {}
Commit::~Commit() = default;

void Commit::run(const DeviceStream& stream, const Places& places) {
  const std::array<DeviceOperand, 6> operands{{{places.flags},
                                               {places.next},
                                               {places.next_hashes},
                                               {places.state},
                                               {places.hashes},
                                               {places.made}}};
  impl_->kernel.run(stream, 1, operands);
}

}  // namespace outerloop::exec::cuda
