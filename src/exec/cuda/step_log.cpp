#include "exec/cuda/step_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {
namespace {

constexpr int kFirstResult = 6;  // of the last kernel: losses, then the measures

// The step that comes next is number 0; no update was made.
struct Counters {
  uint32_t step = ~0U;
  uint32_t updates = 0;
  float made = 0;
};

}  // namespace

// The step before tells whether its update was made.
KernelCode step_begin_kernel(int64_t most_steps) {
  KernelCode code =
      element_kernel(4, 1, Team{},
                     fmt::format("unsigned* counters = p.get<unsigned>(0);\n"
                                 "const float* table = p.get<const float>(2);\n"
                                 "float* scalars = p.get<float>(3);\n"
                                 "const unsigned step = counters[0] + 1;\n"
                                 "const unsigned updates =\n"
                                 "    counters[1] + (*p.get<const float>(1) != 0 ? 1 : 0);\n"
                                 "counters[0] = step;\n"
                                 "counters[1] = updates;\n"
                                 "scalars[0] = table[step];\n"
                                 "scalars[1] = table[{0}U + updates];\n"
                                 "scalars[2] = table[{1}U + updates];\n",
                                 most_steps, 2 * most_steps));
  code.kind = "step_begin";
  return code;
}

KernelCode step_end_kernel(const StepRow& row) {
  const int accuracies = kFirstResult + 1 + static_cast<int>(row.measures);
  std::string numbers = fmt::format(
      "case 0: word = p.get<const unsigned>({})[task]; break;\n"
      "case 2: word = p.get<const unsigned>(2)[task]; break;\n",
      kFirstResult);
  if (row.has_accuracy) {
    numbers += fmt::format("case 1: word = p.get<const unsigned>({})[task]; break;\n", accuracies);
  }
  for (int64_t m = 0; m < row.measures; ++m) {
    numbers += fmt::format("case {}: word = p.get<const unsigned>({})[task]; break;\n", 4 + m,
                           kFirstResult + 1 + m);
  }
  // A rank without slots has no tasks.
  const std::string of_tasks = fmt::format(
      "if (e < {tasks}U * {width}U) {{\n"
      "const unsigned task = e / {width}U;\n"
      "switch (e % {width}U) {{\n{numbers}"
      "case 3:\n"
      "if (p.get<const float>(2)[task] == 0) break;\n"
      "for (unsigned i = 0; i < {parameters}U; ++i)\n"
      "word += p.get<const unsigned>(3)[task * {parameters}U + i];\n"
      "break;\ndefault: break;\n}}\n"
      "}} else if (e < {tasks}U * {width}U + {parameters}U) {{\n"
      "const unsigned i = e - {tasks}U * {width}U;\n"
      "for (unsigned task = 0; task < {tasks}U; ++task)\n"
      "if (p.get<const float>(2)[task] != 0)\n"
      "word += p.get<const unsigned>(3)[task * {parameters}U + i];\n"
      "}} else ",
      fmt::arg("tasks", row.tasks), fmt::arg("width", row.task_words()),
      fmt::arg("parameters", row.parameters), fmt::arg("numbers", numbers));
  const std::string body = fmt::format(
      "unsigned word = 0;\n{of_tasks}"
      "if (e >= {words}U - 1) {{\n"
      "word = *p.get<const float>(5) != 0 ? 1 : 0;\n"
      "}} else if (e >= {words}U - 1 - {parameters}U) {{\n"
      "const unsigned i = e - ({words}U - 1 - {parameters}U);\n"
      "for (unsigned v = 0; v < {vectors}U; ++v)\n"
      "word += p.get<const unsigned>(4)[v * {parameters}U + i];\n"
      "}}\n"
      "p.get<unsigned>(1)[static_cast<unsigned long long>(*p.get<const unsigned>(0)) * {words}U +\n"
      "                   e] = word;\n",
      fmt::arg("of_tasks", row.tasks > 0 ? of_tasks : ""), fmt::arg("parameters", row.parameters),
      fmt::arg("vectors", row.vectors), fmt::arg("words", row.words()));
  KernelCode code =
      element_kernel(accuracies + (row.has_accuracy ? 1 : 0), row.words(), Team{}, body);
  code.kind = "step_end";
  return code;
}

struct StepLog::Impl {
  std::shared_ptr<Device> device;
  StepRow row;
  int64_t most_steps = 0;
  KernelCode begin_code, end_code;
  std::vector<DeviceFunction> functions;
  std::vector<DeviceOperand> begin, end;
  DeviceMemory counters, tables, rows;
  PinnedMemory host_counters, host_tables, host_rows;

  std::span<float> table(size_t which) const {
    const auto steps = static_cast<size_t>(most_steps);
    return {reinterpret_cast<float*>(host_tables.bytes.data()) + which * steps, steps};
  }
};

StepLog::StepLog(std::shared_ptr<Device> device, const StepRow& row, int64_t most_steps,
                 const Results& results, std::byte* scalars)
    : impl_(std::make_unique<Impl>()) {
  OL_ASSERT(static_cast<int64_t>(results.measures.size()) == row.measures &&
                (results.accuracies != nullptr) == row.has_accuracy,
            "results of another row");
  Impl& own = *impl_;
  own.device = std::move(device);
  own.row = row;
  own.most_steps = most_steps;
  own.begin_code = step_begin_kernel(most_steps);
  own.end_code = step_end_kernel(row);
  const std::array sources{kernel_source(own.begin_code), kernel_source(own.end_code)};
  own.functions = own.device->compile(device_prelude(), sources);
  const auto steps = static_cast<size_t>(most_steps);
  const size_t row_bytes = static_cast<size_t>(row.words()) * sizeof(uint32_t);
  own.counters = own.device->allocate(sizeof(Counters));
  own.tables = own.device->allocate(3 * steps * sizeof(float));
  own.rows = own.device->allocate(steps * row_bytes);
  own.host_counters = own.device->allocate_pinned(own.counters.bytes);
  own.host_tables = own.device->allocate_pinned(own.tables.bytes);
  own.host_rows = own.device->allocate_pinned(own.rows.bytes);
  *reinterpret_cast<Counters*>(own.host_counters.bytes.data()) = {};
  own.begin = {{own.counters.data, 0}, {results.made, 0}, {own.tables.data, 0}, {scalars, 0}};
  own.end = {{own.counters.data, 0},       {own.rows.data, 0},        {results.counts, 0},
             {results.gradient_hashes, 0}, {results.state_hashes, 0}, {results.made, 0},
             {results.losses, 0}};
  for (std::byte* measure : results.measures) own.end.push_back({measure, 0});
  if (row.has_accuracy) own.end.push_back({results.accuracies, 0});
}
StepLog::~StepLog() = default;

void StepLog::restart(const DeviceStream& stream, std::span<const float> rates,
                      std::span<const float> factors1, std::span<const float> factors2) {
  Impl& own = *impl_;
  const std::array tables{rates, factors1, factors2};
  for (size_t t = 0; t < tables.size(); ++t) {
    OL_ASSERT(static_cast<int64_t>(tables[t].size()) <= own.most_steps, "too many steps");
    std::ranges::copy(tables[t], own.table(t).begin());
  }
  const std::span<const std::byte> counters = own.host_counters.bytes;
  own.device->upload(stream, own.counters.data, counters);
  own.device->upload(stream, own.begin[1].base,
                     counters.subspan(offsetof(Counters, made), sizeof(float)));
  own.device->upload(stream, own.tables.data, own.host_tables.bytes);
}

std::byte* StepLog::step() const {
  return impl_->counters.data + offsetof(Counters, step);
}

void StepLog::launch_begin(const DeviceStream& stream) {
  impl_->device->launch(stream, impl_->functions[0], impl_->begin_code.blocks,
                        impl_->begin_code.threads, impl_->begin);
}

void StepLog::launch_end(const DeviceStream& stream) {
  impl_->device->launch(stream, impl_->functions[1], impl_->end_code.blocks,
                        impl_->end_code.threads, impl_->end);
}

void StepLog::fetch(const DeviceStream& stream, int64_t steps) {
  const size_t bytes = static_cast<size_t>(steps * impl_->row.words()) * sizeof(uint32_t);
  impl_->device->download(stream, impl_->host_rows.bytes.first(bytes), impl_->rows.data);
}

std::span<const uint32_t> StepLog::row(int64_t step) const {
  const auto words = static_cast<size_t>(impl_->row.words());
  const auto* all = reinterpret_cast<const uint32_t*>(impl_->host_rows.bytes.data());
  return {all + static_cast<size_t>(step) * words, words};
}

}  // namespace outerloop::exec::cuda
