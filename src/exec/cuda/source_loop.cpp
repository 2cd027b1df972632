// Loop nests: elementwise chains, and their sums and maxima in the fixed shape.

#include <fmt/format.h>

#include <algorithm>

#include "exec/cuda/source_parts.h"
#include "exec/plan/loop_nest.h"
#include "outerloop/base/error.h"
#include "outerloop/tensor/ordered.h"

namespace outerloop::exec::cuda {
namespace {

// Up to this many reduced elements a thread keeps all accumulators itself.
constexpr int64_t kFewRows = 16;
// Columns of a block where rows are shared out to kRowWays threads each.
constexpr int64_t kColumnsOfBlock = 64;
constexpr int64_t kMostSumBytes = 40 * 1024;
constexpr int64_t kWarpsOfBlock = 4;

class LoopSource {
 public:
  LoopSource(const LoopNest& nest, const Team& team)
      : nest_(nest), team_(team), type_(type_name(nest.dtype)) {
    extents_ = nest.outer;
    extents_.push_back(nest.rows);
    extents_.push_back(nest.columns);
    rows_axis_ = extents_.size() - 2;
    for (const LoopNest::Operand& operand : nest.operands) {
      const auto bytes = static_cast<int64_t>(size_of(nest.dtype));
      std::vector<int64_t> strides;
      for (int64_t stride : operand.outer) strides.push_back(stride / bytes);
      strides.push_back(operand.row / bytes);
      strides.push_back(operand.column / bytes);
      strides_.push_back(std::move(strides));
    }
  }

  KernelCode code() {
    if (product(kept_extents()) == 0) return {.operands = operands(), .threads = 32};
    switch (nest_.reduction) {
      case Reduction::none:
        return element_kernel(operands(), product(extents_), team_,
                              print_axes("e", extents_, "i") + elements(""));
      case Reduction::contiguous:
        return nest_.columns <= kContiguousWays ? reduced_by_thread(rows_axis_ + 1, kContiguousWays)
                                                : contiguous_by_warp();
      case Reduction::rows:
        break;
    }
    return nest_.rows <= kFewRows ? reduced_by_thread(rows_axis_, kRowWays) : rows_by_block();
  }

 private:
  int operands() const { return static_cast<int>(nest_.operands.size()); }
  static int64_t product(const std::vector<int64_t>& extents) {
    int64_t result = 1;
    for (int64_t extent : extents) result *= extent;
    return result;
  }
  bool reduces(size_t k) const { return nest_.outputs[k] != LoopOutputKind::store; }
  std::string_view combine(size_t k) const {
    return is_maximum(nest_.outputs[k]) ? "ol::Max" : "ol::Sum";
  }
  std::string place(size_t operand) const {
    return fmt::format("p.get<{}>({})[{}]", type_, operand,
                       print_offset(extents_, strides_[operand], "i"));
  }
  std::vector<int64_t> kept_extents() const {
    return nest_.reduction == Reduction::none         ? extents_
           : nest_.reduction == Reduction::contiguous ? kept(rows_axis_ + 1)
                                                      : kept(rows_axis_);
  }
  // All axes but the reduced one.
  std::vector<int64_t> kept(size_t axis) const {
    std::vector<int64_t> result = extents_;
    result[axis] = 1;
    return result;
  }

  // Loads, the body, stores; reduced outputs go to "sum<k><place>".
  std::string elements(std::string_view accumulator) const {
    std::vector<std::string> inputs;
    for (size_t i = 0; i < nest_.input_count(); ++i) inputs.push_back(place(i));
    const BodyText body = print_body(nest_.body, nest_.dtype, inputs);
    std::string text = body.lines;
    for (size_t k = 0; k < nest_.outputs.size(); ++k) {
      if (reduces(k)) {
        const std::string sum = fmt::format("sum{}{}", k, accumulator);
        text += fmt::format("{0} = {1}::combine({0}, {2});\n", sum, combine(k), body.outputs[k]);
      } else {
        text += fmt::format("{} = {};\n", place(nest_.input_count() + k), body.outputs[k]);
      }
    }
    return text;
  }

  // Steps of a long reduction whose loads may overlap: its additions wait for each other, and loads
  // may not pass stores.
  int loads_in_flight() const {
    const bool stores = std::ranges::count(nest_.outputs, LoopOutputKind::store) > 0;
    return stores || nest_.input_count() > 4 ? 4 : nest_.input_count() > 2 ? 8 : 16;
  }

  // For each reduced output: format(number, its combine, the place of its result).
  template <class Format>
  std::string for_each_sum(Format&& format) const {
    std::string text;
    for (size_t k = 0; k < nest_.outputs.size(); ++k) {
      if (reduces(k)) text += format(k, combine(k), place(nest_.input_count() + k));
    }
    return text;
  }

  // One thread per result, with all accumulators in registers.
  KernelCode reduced_by_thread(size_t axis, int64_t ways) {
    const std::vector<int64_t> results = kept(axis);
    const int64_t count = extents_[axis];
    const int64_t live = std::max<int64_t>(std::min(count, ways), 1);
    std::string body = print_axes("e", results, "i");
    body += for_each_sum([&](size_t k, std::string_view combine, const std::string&) {
      return fmt::format(
          "{0} sum{1}[{2}];\n#pragma unroll\n"
          "for (int w = 0; w < {2}; ++w) sum{1}[w] = {3}::start<{0}>();\n",
          type_, k, live, combine);
    });
    body += fmt::format("#pragma unroll\nfor (unsigned r = 0; r < {}U; ++r) {{\n", count);
    if (count != 1) body += fmt::format("const unsigned i{} = r;\n", axis);
    body += elements(fmt::format("[r % {}U]", ways));
    body += "}\n";
    body += for_each_sum([&](size_t k, std::string_view combine, const std::string& target) {
      return fmt::format("{} = ol::tree<{}, {}, {}>(sum{});\n", target, combine, ways, live, k);
    });
    return element_kernel(operands(), product(results), team_, body);
  }

  // One warp per result: thread w has accumulator w.
  KernelCode contiguous_by_warp() {
    const size_t axis = rows_axis_ + 1;
    const std::vector<int64_t> results = kept(axis);
    const int64_t count = product(results);
    const int64_t warps = team_.threads > 0 ? team_.threads / 32 : std::min(count, kWarpsOfBlock);
    std::string body = run_head(operands());
    body += fmt::format("const unsigned e = block * {}U + threadIdx.x / 32U;\n{}", warps,
                        print_axes("e", results, "i"));
    body += start_sums();
    body += fmt::format("if (e < {}U) {{\n#pragma unroll {}\n", count, loads_in_flight());
    body += fmt::format("for (unsigned i{0} = threadIdx.x % 32U; i{0} < {1}U; i{0} += 32U) {{\n",
                        axis, nest_.columns);
    body += elements("") + "}\n}\n";
    body += for_each_sum([&](size_t k, std::string_view combine, const std::string&) {
      return fmt::format("sum{0} = ol::warp_tree<{1}>(sum{0});\n", k, combine);
    });
    body += fmt::format("if (e < {}U && threadIdx.x % 32U == 0) {{\n", count);
    body += store_sums() + "}\n}\n";
    return {.run = body,
            .operands = operands(),
            .threads = static_cast<int>(32 * warps),
            .blocks = blocks_for(count, warps)};
  }

  // kRowWays threads per result.
  KernelCode rows_by_block() {
    const std::vector<int64_t> results = kept(rows_axis_);
    const int64_t count = product(results);
    const int64_t sums = std::ranges::count_if(
        nest_.outputs, [](LoopOutputKind kind) { return kind != LoopOutputKind::store; });
    const int64_t bytes_of_column = sums * kRowWays * static_cast<int64_t>(size_of(nest_.dtype));
    const bool narrow = count <= 32 || kColumnsOfBlock * bytes_of_column > kMostSumBytes;
    const int64_t columns = team_.threads > 0 ? team_.threads / kRowWays
                            : narrow          ? 32
                                              : kColumnsOfBlock;
    std::string body = run_head(operands());
    body += fmt::format(
        "const unsigned column = threadIdx.x % {1}U, way = threadIdx.x / {1}U;\n"
        "const unsigned e = block * {1}U + column;\n{0}",
        print_axes("e", results, "i"), columns);
    body += start_sums();
    body += fmt::format("if (e < {}U) {{\n#pragma unroll {}\n", count, loads_in_flight());
    body += fmt::format("for (unsigned i{0} = way; i{0} < {1}U; i{0} += {2}U) {{\n", rows_axis_,
                        nest_.rows, kRowWays);
    body += elements("") + "}\n}\n";
    int64_t place = 0;
    body += for_each_sum([&](size_t k, std::string_view, const std::string&) {
      return fmt::format(
          "{0}* const sums{1} = reinterpret_cast<{0}*>(scratch) + {2};\n"
          "sums{1}[threadIdx.x] = sum{1};\n",
          type_, k, kRowWays * columns * place++);
    });
    body += fmt::format("__syncthreads();\nif (way == 0 && e < {}U) {{\n", count);
    body += for_each_sum([&](size_t k, std::string_view combine, const std::string& target) {
      return fmt::format("{} = ol::row_tree<{}>(sums{} + column, {});\n", target, combine, k,
                         columns);
    });
    body += "}\n}\n";
    return {.run = body,
            .operands = operands(),
            .threads = static_cast<int>(kRowWays * columns),
            .blocks = blocks_for(count, columns),
            .scratch_bytes = columns * bytes_of_column};
  }

  std::string start_sums() const {
    return for_each_sum([&](size_t k, std::string_view combine, const std::string&) {
      return fmt::format("{0} sum{1} = {2}::start<{0}>();\n", type_, k, combine);
    });
  }
  std::string store_sums() const {
    return for_each_sum([&](size_t k, std::string_view, const std::string& target) {
      return fmt::format("{} = sum{};\n", target, k);
    });
  }

  const LoopNest& nest_;
  Team team_;
  std::string_view type_;
  std::vector<int64_t> extents_;  // outer axes, rows, columns
  std::vector<std::vector<int64_t>> strides_;
  size_t rows_axis_ = 0;
};

}  // namespace

KernelCode loop_kernel(const LoopSpec& spec, const Team& team) {
  const LoopNest nest = make_nest(spec);
  return LoopSource(nest, team).code();
}

}  // namespace outerloop::exec::cuda
