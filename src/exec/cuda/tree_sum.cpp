#include <fmt/format.h>

#include <array>
#include <bit>

#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda_tree_sum.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kGroup = 8;  // rows that a thread has in registers, so that their loads overlap

// The lower of two siblings becomes their parent.
constexpr const char* kMerge =
    "const auto merge = [](float& sum, bool& there, float upper, bool upper_there) {\n"
    "sum = there && upper_there ? ol::add(sum, upper) : upper_there ? upper : sum;\n"
    "there = there || upper_there;\n};\n";

std::string group_text(int64_t rows, int64_t elements) {
  std::string text;
  for (int i = 0; i < kGroup; ++i) {
    text += fmt::format(
        "const unsigned r{0} = group * {1}U + {0}U;\n"
        "float v{0} = r{0} < {2}U ? rows[r{0} * {3}ULL] : 0.0f;\n"
        "bool h{0} = r{0} < {2}U && present[r{0}] != 0.0f;\n",
        i, kGroup, rows, elements);
  }
  for (int half = 1; half < kGroup; half *= 2) {
    for (int i = 0; i < kGroup; i += 2 * half) {
      text += fmt::format("merge(v{0}, h{0}, v{1}, h{1});\n", i, i + half);
    }
  }
  return text;
}

// A thread sums one element. Groups are merged as a binary counter counts: `waiting` has a bit for
// each level at which a lower sibling waits on the stack.
KernelCode tree_sum_kernel(int64_t rows, int64_t elements) {
  const int64_t groups = (rows + kGroup - 1) / kGroup;
  const int64_t depth = std::bit_width(static_cast<uint64_t>(groups));
  return {.run = run_head(3) +
                 fmt::format("const unsigned long long e = block * {0}ULL + threadIdx.x;\n"
                             "if (e >= {1}ULL) return;\n"
                             "const float* rows = p.get<const float>(0) + e;\n"
                             "const float* present = p.get<const float>(1);\n"
                             "float* stack = reinterpret_cast<float*>(scratch) + threadIdx.x;\n"
                             "{2}"
                             "unsigned waiting = 0, there = 0;\n"
                             "for (unsigned group = 0; group < {3}U; ++group) {{\n{4}"
                             "unsigned level = 0;\n"
                             "for (; waiting >> level & 1U; ++level) {{\n"
                             "float sum = stack[level * {0}U];\n"
                             "bool sum_there = there >> level & 1U;\n"
                             "merge(sum, sum_there, v0, h0);\n"
                             "v0 = sum;\nh0 = sum_there;\n}}\n"
                             "stack[level * {0}U] = v0;\n"
                             "there = (there & ~(1U << level)) | (h0 ? 1U << level : 0U);\n"
                             "++waiting;\n}}\n"
                             "float total = 0;\nbool total_there = false;\nbool any = false;\n"
                             "for (unsigned level = 0; level < {5}U; ++level) {{\n"
                             "if (!(waiting >> level & 1U)) continue;\n"
                             "float sum = stack[level * {0}U];\n"
                             "bool sum_there = there >> level & 1U;\n"
                             "if (any) merge(sum, sum_there, total, total_there);\n"
                             "total = sum;\ntotal_there = sum_there;\nany = true;\n}}\n"
                             "p.get<float>(2)[e] = total;\n}}\n",
                             kThreads, elements, kMerge, groups, group_text(rows, elements), depth),
          .operands = 3,
          .threads = kThreads,
          .blocks = blocks_for(elements, kThreads),
          .scratch_bytes = depth * kThreads * static_cast<int64_t>(sizeof(float))};
}

}  // namespace

struct TreeSum::Impl {
  std::shared_ptr<Device> device;
  KernelCode code;
  DeviceFunction function;
};

TreeSum::TreeSum(std::shared_ptr<Device> device, int64_t rows, int64_t elements)
    : impl_(std::make_unique<Impl>()) {
  OL_ASSERT(rows >= 1 && elements >= 1, "a sum has a row and an element");
  impl_->code = tree_sum_kernel(rows, elements);
  OL_ASSERT(static_cast<size_t>(impl_->code.scratch_bytes) < device->limits().shared_bytes,
            "more rows than a stack has levels for");
  const KernelSource source = kernel_source(impl_->code);
  impl_->function = device->compile(device_prelude(), {&source, 1}).front();
  impl_->device = std::move(device);
}
TreeSum::~TreeSum() = default;
TreeSum::TreeSum(TreeSum&&) noexcept = default;

void TreeSum::run(const DeviceStream& stream, std::byte* rows, std::byte* present,
                  std::byte* total) {
  const std::array<DeviceOperand, 3> operands{{{rows, 0}, {present, 0}, {total, 0}}};
  impl_->device->launch(stream, impl_->function, impl_->code.blocks, impl_->code.threads, operands);
}

}  // namespace outerloop::exec::cuda
