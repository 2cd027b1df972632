#include <fmt/format.h>

#include <array>

#include "exec/cuda/single_kernel.h"
#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"
#include "outerloop/exec/cuda_slot_sums.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int64_t kMostTasks = 40 * 1024;  // a byte of shared memory each
constexpr int kFirstSum = 4;               // among the operands; a sum has two

int64_t tasks_of(const SlotSums::Tasks& tasks) {
  int64_t count = 0;
  for (int level : tasks.levels) count += int64_t{1} << level;
  return count;
}

// The sum goes to operands of its own.
std::string store(size_t sum, std::string_view node, int64_t first, int64_t end) {
  return fmt::format(
      "p.get<float>({0})[e] = {1}.sum;\n"
      "if (e == 0) {{\nunsigned present = 0;\n"
      "for (unsigned task = {2}U; task < {3}U; ++task) present += counts[task];\n"
      "*p.get<float>({4}) = static_cast<float>(present);\n}}\n",
      kFirstSum + 2 * sum, node, first, end, kFirstSum + 2 * sum + 1);
}

// Each block first finds out which tasks count.
KernelCode slot_sums_kernel(const SlotSums::Tasks& tasks, SlotSums::Sums sums) {
  const int64_t count = tasks_of(tasks);
  std::string text = fmt::format(
      "unsigned char* const counts = reinterpret_cast<unsigned char*>(scratch);\n"
      "for (unsigned task = threadIdx.x; task < {0}U; task += {1}U) {{\n"
      "bool finite = ol::is_finite(p.get<const unsigned>(1)[task]);\n"
      "for (unsigned i = 0; i < {2}U; ++i)\n"
      "finite = (p.get<const unsigned>(2)[task * {2}U + i] != 0) && finite;\n"
      "counts[task] = finite ? 1 : 0;\n"
      "if (block == 0) p.get<float>(3)[task] = finite ? 1.0f : 0.0f;\n}}\n"
      "__syncthreads();\n"
      "const unsigned e = block * {1}U + threadIdx.x;\n"
      "if (e >= {3}U) return;\n",
      count, kBlockThreads, tasks.parts, tasks.elements);
  int64_t first = 0;
  for (size_t r = 0; r < tasks.levels.size(); ++r) {
    const int64_t end = first + (int64_t{1} << tasks.levels[r]);
    text += fmt::format(
        "const ol::SlotNode n{0} = ol::subtree<{1}>(\n"
        "    p.get<const float>(0) + {2}ULL + e, {3}ULL, counts + {4});\n",
        r, tasks.levels[r], first * tasks.elements, tasks.elements, first);
    if (sums == SlotSums::Sums::of_subtrees) {
      text += store(r, fmt::format("n{}", r), first, end);
    }
    first = end;
  }
  size_t stored = tasks.levels.size();
  if (sums == SlotSums::Sums::of_all) {
    std::string all = fmt::format("n{}", tasks.levels.size() - 1);
    for (size_t r = tasks.levels.size() - 1; r-- > 0;)
      all = fmt::format("ol::parent(n{}, {})", r, all);
    text += fmt::format("const ol::SlotNode all = {};\n", all) + store(0, "all", 0, count);
    stored = 1;
  }
  const int operands = kFirstSum + 2 * static_cast<int>(stored);
  return {.run = run_head(operands) + text + "}\n",
          .kind = "slot_sums",
          .operands = operands,
          .threads = kBlockThreads,
          .blocks = blocks_for(tasks.elements, kBlockThreads),
          .scratch_bytes = count};
}

}  // namespace

struct SlotSums::Impl {
  SingleKernel kernel;
};

SlotSums::SlotSums(std::shared_ptr<Device> device, const Tasks& tasks, Sums sums) {
  OL_ASSERT(!tasks.levels.empty(), "a sum of no tasks");
  if (tasks_of(tasks) > kMostTasks) {
    throw BadInput(
        fmt::format("{} tasks of one rank on a device, which takes {}: lower "
                    "outer.meta_batch, or use more ranks",
                    tasks_of(tasks), kMostTasks));
  }
  impl_ = std::make_unique<Impl>(SingleKernel(std::move(device), slot_sums_kernel(tasks, sums)));
}
SlotSums::~SlotSums() = default;
SlotSums::SlotSums(SlotSums&&) noexcept = default;

void SlotSums::run(const DeviceStream& stream, const Places& places) {
  std::vector<DeviceOperand> operands{
      {places.gradients}, {places.losses}, {places.finite}, {places.counts}};
  for (size_t i = 0; i < places.sums.size(); ++i) {
    operands.push_back({places.sums[i]});
    operands.push_back({places.numbers[i]});
  }
  impl_->kernel.run(stream, 1, operands);
}

}  // namespace outerloop::exec::cuda
