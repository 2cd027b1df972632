// Ops outside of the families, by record.

#include <fmt/format.h>

#include <algorithm>

#include "exec/cuda/source_parts.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/ops/records.h"

namespace outerloop::exec::cuda {
namespace {

KernelCode constant_kernel(const PlainSpec& spec, const Team& team) {
  const auto value = static_cast<int32_t>(spec.attributes.real("value"));
  return element_kernel(1, spec.output.shape.elements(), team,
                        fmt::format("p.get<int>(0)[e] = {};\n", value));
}

KernelCode iota_kernel(const PlainSpec& spec, const Team& team) {
  return element_kernel(1, spec.output.shape.elements(), team,
                        "p.get<int>(0)[e] = static_cast<int>(e);\n");
}

// Element e is one counter of the stream; its four words lie eight apart.
KernelCode random_uniform_kernel(const PlainSpec& spec, const Team& team) {
  const int64_t count = spec.output.shape.elements();
  const int64_t groups = blocks_for(count, Philox::kGroupWords);
  const auto stream = static_cast<uint64_t>(spec.attributes.integer("stream"));
  return element_kernel(
      2, groups * 8, team,
      fmt::format("const unsigned* key = p.get<unsigned>(0);\n"
                  "unsigned words[ol::kPhiloxWords] = {{e, key[3], key[2], {0}U}};\n"
                  "ol::philox(key[0], key[1], words);\n"
                  "const unsigned place = e / ol::kPhiloxLanes * {1}U + e % ol::kPhiloxLanes;\n"
                  "#pragma unroll\n"
                  "for (int w = 0; w < ol::kPhiloxWords; ++w) {{\n"
                  "const unsigned at = place + w * ol::kPhiloxLanes;\n"
                  "if (at < {2}U) p.get<{3}>(1)[at] = ol::uniform<{3}>(words[w]);\n}}\n",
                  stream | static_cast<uint64_t>(Purpose::dropout) << 16, Philox::kGroupWords,
                  count, type_name(spec.output.dtype)));
}

KernelCode cholesky_kernel(const PlainSpec& spec, const Team& team) {
  const int64_t n = spec.output.shape[0];
  const std::string_view type = type_name(spec.output.dtype);
  return {.run = run_head(2) +
                 fmt::format("ol::cholesky<{0}>(p.get<{1}>(0), p.get<{1}>(1));\n}}\n", n, type),
          .operands = 2,
          .threads = element_loop(n, team).threads,
          .blocks = n == 0 ? 0 : 1};
}

KernelCode triangular_solve_kernel(const PlainSpec& spec, const Team& team) {
  const int64_t n = spec.output.shape[0], columns = spec.output.shape[1];
  return element_kernel(
      3, n == 0 ? 0 : columns, team,
      fmt::format("ol::triangular_solve<{1}, {2}, {3}, {4}>(p.get<{0}>(0), p.get<{0}>(1), "
                  "p.get<{0}>(2), e);\n",
                  type_name(spec.output.dtype), n, columns, spec.attributes.integer("lower") != 0,
                  spec.attributes.integer("transposed") != 0));
}

KernelCode triangle_kernel(const PlainSpec& spec, const Team& team) {
  const int64_t n = spec.output.shape[0];
  const std::string_view type = type_name(spec.output.dtype);
  ScalarBuilder builder(spec.output.dtype, 1);
  const Scalar scaled = builder.input(0) * spec.attributes.real("diagonal");
  const BodyText body =
      print_body(builder.finish({&scaled, 1}), spec.output.dtype, std::vector<std::string>{"x"});
  return element_kernel(2, n * n, team,
                        fmt::format("const unsigned i = e / {0}U, j = e % {0}U;\n"
                                    "const {1} x = p.get<{1}>(0)[e];\n{2}"
                                    "p.get<{1}>(1)[e] = i == j ? {3} : j {4} i ? x : {1}(0);\n",
                                    n, type, body.lines, body.outputs.front(),
                                    spec.attributes.integer("lower") != 0 ? '<' : '>'));
}

struct Entry {
  const OpDef* op;
  KernelCode (*kernel)(const PlainSpec& spec, const Team& team);
};
constexpr Entry kKernels[] = {
    {&ops::cholesky, cholesky_kernel}, {&ops::constant, constant_kernel},
    {&ops::iota, iota_kernel},         {&ops::random_uniform, random_uniform_kernel},
    {&ops::triangle, triangle_kernel}, {&ops::triangular_solve, triangular_solve_kernel},
};

}  // namespace

bool has_plain_kernel(const OpDef& op) {
  return std::ranges::find(kKernels, &op, &Entry::op) != std::end(kKernels);
}

KernelCode plain_kernel(const PlainSpec& spec, const Team& team) {
  const auto entry = std::ranges::find(kKernels, spec.op, &Entry::op);
  OL_ASSERT(entry != std::end(kKernels), fmt::format("no GPU kernel for {}", spec.op->name));
  return entry->kernel(spec, team);
}

}  // namespace outerloop::exec::cuda
