#include "exec/cuda/source_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::exec::cuda {
namespace {

std::string literal(double value, DType dtype) {
  if (!std::isfinite(value)) {
    return dtype == DType::f64
               ? fmt::format("ol::bits_f64(0x{:016x}ULL)", std::bit_cast<uint64_t>(value))
               : fmt::format("ol::bits_f32(0x{:08x}U)",
                             std::bit_cast<uint32_t>(static_cast<float>(value)));
  }
  // Hexadecimal: exact in both types.
  return fmt::format("{:a}{}", value, dtype == DType::f64 ? "" : "f");
}

std::string_view function_of(ScalarOp op) {
  switch (op) {
    case ScalarOp::input:
    case ScalarOp::constant:
      break;
    case ScalarOp::add:
      return "add";
    case ScalarOp::sub:
      return "sub";
    case ScalarOp::mul:
      return "mul";
    case ScalarOp::div:
      return "div";
    case ScalarOp::fma:
      return "fma";
    case ScalarOp::sqrt:
      return "sqrt";
    case ScalarOp::neg:
      return "neg";
    case ScalarOp::abs:
      return "abs";
    case ScalarOp::min:
      return "min";
    case ScalarOp::max:
      return "max";
    case ScalarOp::round:
      return "round";
    case ScalarOp::less:
      return "less";
    case ScalarOp::less_equal:
      return "less_equal";
    case ScalarOp::equal:
      return "equal";
    case ScalarOp::select:
      return "select";
    case ScalarOp::scale2:
      return "scale2";
    case ScalarOp::exponent:
      return "exponent";
    case ScalarOp::mantissa:
      return "mantissa";
  }
  throw_internal_error("scalar op", __FILE__, __LINE__, "inputs and constants are no functions");
}

}  // namespace

std::string_view type_name(DType dtype) {
  return dtype == DType::f64 ? "double" : dtype == DType::f32 ? "float" : "int";
}

BodyText print_body(const ScalarBody& body, DType dtype, std::span<const std::string> inputs) {
  BodyText text;
  std::vector<std::string> names;
  for (const ScalarInstruction& instruction : body.instructions) {
    const auto operand = [&](int32_t id) { return names[static_cast<size_t>(id)]; };
    if (instruction.op == ScalarOp::constant) {
      names.push_back(literal(instruction.value, dtype));
      continue;
    }
    const std::string name = fmt::format("v{}", names.size());
    std::string value;
    if (instruction.op == ScalarOp::input) {
      value = inputs[static_cast<size_t>(instruction.index)];
    } else {
      value = fmt::format("ol::{}({}", function_of(instruction.op), operand(instruction.a));
      for (int32_t id : {instruction.b, instruction.c}) {
        if (id >= 0) value += ", " + operand(id);
      }
      value += ")";
    }
    text.lines += fmt::format("const {} {} = {};\n", type_name(dtype), name, value);
    names.push_back(name);
  }
  for (int32_t output : body.outputs) text.outputs.push_back(names[static_cast<size_t>(output)]);
  return text;
}

std::string print_axes(std::string_view index, std::span<const int64_t> extents,
                       std::string_view axis_prefix) {
  std::string lines;
  int64_t inner = 1;
  int64_t outer = 1;
  for (int64_t extent : extents) outer *= extent;
  for (size_t axis = extents.size(); axis-- > 0;) {
    outer /= std::max<int64_t>(extents[axis], 1);
    if (extents[axis] == 1) continue;
    std::string value(index);
    if (inner > 1) value += fmt::format(" / {}U", inner);
    if (outer > 1) value += fmt::format(" % {}U", extents[axis]);
    lines += fmt::format("const unsigned {}{} = {};\n", axis_prefix, axis, value);
    inner *= extents[axis];
  }
  return lines;
}

std::string print_offset(std::span<const int64_t> extents, std::span<const int64_t> strides,
                         std::string_view axis_prefix, int64_t constant) {
  std::string text;
  int64_t farthest = constant;
  const auto append = [&](const std::string& term) { text += (text.empty() ? "" : " + ") + term; };
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    if (extents[axis] == 1 || strides[axis] == 0) continue;
    farthest += (extents[axis] - 1) * strides[axis];
    append(strides[axis] == 1 ? fmt::format("{}{}", axis_prefix, axis)
                              : fmt::format("{}{} * {}U", axis_prefix, axis, strides[axis]));
  }
  OL_ASSERT(farthest < int64_t{1} << 31, "an operand has more than 2^31 elements");
  if (constant != 0) append(fmt::format("{}U", constant));
  return text.empty() ? "0" : text;
}

int64_t blocks_for(int64_t items, int64_t per_block) {
  return (items + per_block - 1) / per_block;
}

std::string run_head(int operands) {
  return fmt::format(
      "OL_DEVICE void run(const ol::Pointers<{}>& p, unsigned block, char* scratch) {{\n",
      operands);
}

ElementLoop element_loop(int64_t count, const Team& team) {
  OL_ASSERT(count < int64_t{1} << 31, "a value has more than 2^31 elements");
  if (team.threads > 0) return {team.threads, count == 0 ? 0 : 1, count};
  ElementLoop loop;
  loop.threads = static_cast<int>(std::clamp<int64_t>((count + 31) / 32 * 32, 32, kMostThreads));
  // Large values give a thread more to do, so that index arithmetic is shared out.
  loop.per_block = loop.threads * (count >= 64 * kMostThreads ? 4 : 1);
  loop.blocks = blocks_for(count, loop.per_block);
  return loop;
}

KernelCode element_kernel(int operands, int64_t count, const Team& team, const std::string& body) {
  const ElementLoop loop = element_loop(count, team);
  const std::string head =
      loop.blocks == 1 ? fmt::format("for (unsigned e = threadIdx.x; e < {}U; e += {}U) {{\n",
                                     count, loop.threads)
                       : fmt::format(
                             "const unsigned first = block * {0}U;\n"
                             "const unsigned end = first + {0}U < {1}U ? first + {0}U : {1}U;\n"
                             "for (unsigned e = first + threadIdx.x; e < end; e += {2}U) {{\n",
                             loop.per_block, count, loop.threads);
  return {.run = run_head(operands) + head + body + "}\n}\n",
          .operands = operands,
          .threads = loop.threads,
          .blocks = loop.blocks};
}

}  // namespace outerloop::exec::cuda
