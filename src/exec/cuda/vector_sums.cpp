#include "exec/cuda/vector_sums.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "exec/cuda/single_kernel.h"
#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda_vector_sums.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int64_t kMostBlocks = (1 << 21) - 1;  // as many are launched as there is work for
constexpr size_t kHead = 4;                     // words of a table before its terms

}  // namespace

// The upmost vector is in a register, those below it in shared memory, and of each a bit tells
// whether it is there.
KernelCode vector_sums_kernel() {
  return {
      .run =
          run_head(1) +
          fmt::format("const unsigned long long* table = p.get<const unsigned long long>(0);\n"
                      "const unsigned long long e = block * {0}ULL + threadIdx.x;\n"
                      "const bool is_element = e < table[1];\n"
                      "if (!is_element && e > 0) return;\n"
                      "float* stack = reinterpret_cast<float*>(scratch) + threadIdx.x;\n"
                      "unsigned below = 0, there = 0;\n"
                      "float top = 0, counts = 0;\n"
                      "for (unsigned long long t = 0; t < table[0]; ++t) {{\n"
                      "if (t > 0) stack[below++ * {0}U] = top;\n"
                      "const unsigned long long* term = table + {1} + 3 * t;\n"
                      "const float count = *reinterpret_cast<const float*>(term[1]);\n"
                      "counts = ol::add(counts, count);\n"
                      "there = there << 1 | (count != 0 ? 1U : 0U);\n"
                      "top = count != 0 && is_element\n"
                      "          ? reinterpret_cast<const float*>(term[0])[e] : 0;\n"
                      "for (unsigned long long a = term[2]; a > 0; --a) {{\n"
                      "const float left = stack[--below * {0}U];\n"
                      "const bool is_there = (there & 1U) != 0;\n"
                      "there = there >> 1;\n"
                      "if ((there & 1U) != 0) top = is_there ? ol::add(left, top) : left;\n"
                      "there = there | (is_there ? 1U : 0U);\n"
                      "}}\n"
                      "}}\n"
                      "if (is_element) reinterpret_cast<float*>(table[2])[e] = top;\n"
                      "if (e == 0 && table[3] != 0) *reinterpret_cast<float*>(table[3]) = counts;\n"
                      "}}\n",
                      kBlockThreads, kHead),
      .kind = "vector_sum",
      .operands = 1,
      .threads = kBlockThreads,
      .blocks = kMostBlocks,
      .scratch_bytes = VectorSums::kDeepest * kBlockThreads * static_cast<int64_t>(sizeof(float))};
}

struct VectorSums::Impl {
  struct Table {
    std::vector<uint64_t> words;  // as the device has them
    DeviceMemory memory;
    PinnedMemory host;
  };

  void send(const DeviceStream& stream, Table& table) const {
    Device& device = kernel.device();
    const auto bytes = std::as_bytes(std::span(table.words));
    if (bytes.size() > table.memory.bytes) {
      table.memory = device.allocate(2 * bytes.size());
      table.host = device.allocate_pinned(2 * bytes.size());
    }
    std::ranges::copy(bytes, table.host.bytes.begin());
    device.upload(stream, table.memory.data, table.host.bytes.first(bytes.size()));
  }

  SingleKernel kernel;
  std::vector<Table> tables;
  std::vector<uint64_t> words = {};  // of the sum that is asked for
};

VectorSums::VectorSums(std::shared_ptr<Device> device, size_t count)
    : impl_(std::make_unique<Impl>(SingleKernel(std::move(device), vector_sums_kernel()),
                                   std::vector<Impl::Table>(count))) {}
VectorSums::~VectorSums() = default;

void VectorSums::run(const DeviceStream& stream, size_t number, std::span<const SumTerm> terms,
                     std::span<float> total, float* count) {
  auto& words = impl_->words;
  words = {terms.size(), total.size(), std::bit_cast<uint64_t>(total.data()),
           std::bit_cast<uint64_t>(count)};
  int64_t depth = 0;
  for (const SumTerm& term : terms) {
    words.push_back(std::bit_cast<uint64_t>(term.data));
    words.push_back(std::bit_cast<uint64_t>(term.count));
    words.push_back(static_cast<uint64_t>(term.additions));
    OL_ASSERT(++depth <= kDeepest && term.additions < depth, "no sum that a stack can make");
    depth -= term.additions;
  }
  OL_ASSERT(depth == 1 || terms.empty(), "the terms leave more than one vector");
  if (total.empty() && count == nullptr) return;
  Impl::Table& table = impl_->tables.at(number);
  if (table.words != words) {
    table.words = words;
    impl_->send(stream, table);
  }
  const DeviceOperand operand{table.memory.data, 0};
  const int64_t blocks =
      blocks_for(std::max<int64_t>(static_cast<int64_t>(total.size()), 1), kBlockThreads);
  OL_ASSERT(blocks <= kMostBlocks, "a vector has more than 2^29 elements");
  impl_->kernel.run_blocks(stream, blocks, {&operand, 1});
}

}  // namespace outerloop::exec::cuda
