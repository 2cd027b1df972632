#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"
#include "outerloop/passes/pass.h"
#include "passes/rewrite.h"

namespace outerloop::passes {
namespace {

// Looks at what was written so far: which equation made a value.
class Written {
 public:
  explicit Written(const Program& program) : program_(program) {}

  // The equation of this op that made the value, or nullptr.
  const Equation* made_by(Expr value, const OpDef& op) {
    for (; seen_ < program_.equations.size(); ++seen_) {
      producer_.resize(program_.values.size(), -1);
      for (ValueId output : program_.equations[seen_].outputs) {
        producer_[static_cast<size_t>(output.index)] = static_cast<int32_t>(seen_);
      }
    }
    const auto index = static_cast<size_t>(value.id().index);
    if (index >= producer_.size() || producer_[index] < 0) return nullptr;
    const Equation& equation = program_.equations[static_cast<size_t>(producer_[index])];
    return equation.op == &op ? &equation : nullptr;
  }

  std::optional<double> constant(Expr value) {
    const Equation* equation = made_by(value, ops::constant);
    if (equation == nullptr) return std::nullopt;
    return equation->attributes.real("value");
  }

 private:
  const Program& program_;
  size_t seen_ = 0;
  std::vector<int32_t> producer_;
};

struct Match {
  Written& written;
  const Equation& equation;
  std::span<const Expr> in;
  const TensorType& type;  // of the result
  bool sole_reader;        // nothing else that is needed reads input 0

  Expr input_of(const Equation& other, size_t i) const {
    return in.front().builder().expr(other.inputs[i]);
  }
};

// Gives the replacement, or an invalid Expr. Rules keep the bits.
using Rule = Expr (*)(const Match&);

Expr double_negation(const Match& m) {
  const Equation* inner = m.written.made_by(m.in[0], ops::neg);
  return inner ? m.input_of(*inner, 0) : Expr{};
}

Expr add_negated(const Match& m) {
  if (const Equation* right = m.written.made_by(m.in[1], ops::neg)) {
    return sub(m.in[0], m.input_of(*right, 0));
  }
  if (const Equation* left = m.written.made_by(m.in[0], ops::neg)) {
    return sub(m.in[1], m.input_of(*left, 0));
  }
  return {};
}

Expr subtract_negated(const Match& m) {
  const Equation* right = m.written.made_by(m.in[1], ops::neg);
  return right ? add(m.in[0], m.input_of(*right, 0)) : Expr{};
}

Expr multiply_by_unit(const Match& m) {
  for (size_t i : {size_t{0}, size_t{1}}) {
    const std::optional<double> factor = m.written.constant(m.in[i]);
    if (factor == 1.0) return m.in[1 - i];
    if (factor == -1.0) return neg(m.in[1 - i]);
  }
  return {};
}

Expr divide_by_power_of_two(const Match& m) {
  const std::optional<double> divisor = m.written.constant(m.in[1]);
  if (!divisor || *divisor == 0 || !std::isfinite(*divisor)) return {};
  int exponent = 0;
  if (std::fabs(std::frexp(*divisor, &exponent)) != 0.5 || std::abs(exponent) > 100) return {};
  if (*divisor == 1) return m.in[0];
  return mul(m.in[0], full_like(m.in[0], 1 / *divisor));
}

Expr forwarded(const Match& m) {
  return m.in[0];
}

Expr reshape_of_reshape(const Match& m) {
  if (m.in[0].shape() == m.type.shape) return m.in[0];
  if (const auto value = m.written.constant(m.in[0])) {
    return constant(m.in[0].builder(), *value, m.type);
  }
  const Equation* inner = m.written.made_by(m.in[0], ops::reshape);
  return inner ? reshape(m.input_of(*inner, 0), m.type.shape) : Expr{};
}

// Matches the axes of `to` that are not 1 with those of `from`: equal lists, or nothing.
std::optional<std::vector<std::pair<int, int>>> same_long_axes(const Shape& from, const Shape& to) {
  std::vector<std::pair<int, int>> pairs;
  int j = 0;
  for (int i = 0; i < from.rank(); ++i) {
    if (from[i] == 1) continue;
    while (j < to.rank() && to[j] == 1) ++j;
    if (j == to.rank() || to[j] != from[i]) return std::nullopt;
    pairs.emplace_back(i, j++);
  }
  while (j < to.rank() && to[j] == 1) ++j;
  if (j != to.rank()) return std::nullopt;
  return pairs;
}

// broadcast(reshape(x)) where the reshape only adds or drops axes of extent 1.
Expr broadcast_of_reshape(const Match& m, const Axes& axes) {
  const Equation* inner = m.written.made_by(m.in[0], ops::reshape);
  if (inner == nullptr) return {};
  const Expr source = m.input_of(*inner, 0);
  const auto pairs = same_long_axes(source.shape(), m.in[0].shape());
  if (!pairs) return {};
  if (static_cast<size_t>(source.shape().rank()) != pairs->size()) {
    Shape squeezed;
    for (int64_t extent : source.shape()) {
      if (extent != 1) squeezed.append(extent);
    }
    if (squeezed == m.in[0].shape()) return {};
    Axes target;
    for (const auto& [from, to] : *pairs) target.push_back(axes[static_cast<size_t>(to)]);
    return broadcast_in_dim(reshape(source, squeezed), m.type.shape, target);
  }
  Axes target;
  for (const auto& [from, to] : *pairs) target.push_back(axes[static_cast<size_t>(to)]);
  return broadcast_in_dim(source, m.type.shape, target);
}

Expr broadcast_rules(const Match& m) {
  if (m.in[0].shape() == m.type.shape) return m.in[0];
  if (const auto value = m.written.constant(m.in[0])) {
    return constant(m.in[0].builder(), *value, m.type);
  }
  const Axes& axes = m.equation.attributes.integers("axes");
  if (const Equation* inner = m.written.made_by(m.in[0], ops::broadcast)) {
    Axes composed;
    for (int64_t axis : inner->attributes.integers("axes")) {
      composed.push_back(axes[static_cast<size_t>(axis)]);
    }
    return broadcast_in_dim(m.input_of(*inner, 0), m.type.shape, composed);
  }
  return broadcast_of_reshape(m, axes);
}

bool swaps_last_two(const Axes& permutation) {
  const size_t rank = permutation.size();
  if (rank < 2) return false;
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (permutation[i] != static_cast<int64_t>(i)) return false;
  }
  return permutation[rank - 2] == static_cast<int64_t>(rank) - 1;
}

bool moves_only_unit_axes(const Shape& shape, const Axes& permutation) {
  int64_t last = -1;
  for (int64_t axis : permutation) {
    if (shape[static_cast<int>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

Expr transpose_rules(const Match& m) {
  const Axes& permutation = m.equation.attributes.integers("permutation");
  if (moves_only_unit_axes(m.in[0].shape(), permutation)) {
    return m.in[0].shape() == m.type.shape ? m.in[0] : reshape(m.in[0], m.type.shape);
  }
  if (const auto value = m.written.constant(m.in[0])) {
    return constant(m.in[0].builder(), *value, m.type);
  }
  if (const Equation* inner = m.written.made_by(m.in[0], ops::transpose)) {
    const Axes& first = inner->attributes.integers("permutation");
    Axes composed;
    for (int64_t axis : permutation) composed.push_back(first[static_cast<size_t>(axis)]);
    return transpose(m.input_of(*inner, 0), composed);
  }
  // (A B)^T = B^T A^T: the products and their order stay. Where A B is read elsewhere too, it would
  // be computed twice.
  const Equation* product = m.written.made_by(m.in[0], ops::matmul);
  if (product != nullptr && m.sole_reader && swaps_last_two(permutation)) {
    return matmul(m.input_of(*product, 1), m.input_of(*product, 0),
                  product->attributes.integer("transpose_b") == 0,
                  product->attributes.integer("transpose_a") == 0);
  }
  return {};
}

Expr matmul_of_transposed(const Match& m) {
  std::array<Expr, 2> operands{m.in[0], m.in[1]};
  std::array<bool, 2> flags{m.equation.attributes.integer("transpose_a") != 0,
                            m.equation.attributes.integer("transpose_b") != 0};
  bool changed = false;
  for (size_t i = 0; i < 2; ++i) {
    const Equation* inner = m.written.made_by(operands[i], ops::transpose);
    if (inner == nullptr || !swaps_last_two(inner->attributes.integers("permutation"))) continue;
    operands[i] = m.input_of(*inner, 0);
    flags[i] = !flags[i];
    changed = true;
  }
  return changed ? matmul(operands[0], operands[1], flags[0], flags[1]) : Expr{};
}

Expr reduction_of_units(const Match& m) {
  for (int64_t axis : m.equation.attributes.integers("axes")) {
    if (m.in[0].shape()[static_cast<int>(axis)] != 1) return {};
  }
  return m.in[0].shape() == m.type.shape ? m.in[0] : reshape(m.in[0], m.type.shape);
}

Expr whole_slice(const Match& m) {
  return m.in[0].shape() == m.type.shape ? m.in[0] : Expr{};
}

Expr single_part(const Match& m) {
  return m.in.size() == 1 ? m.in[0] : Expr{};
}

// Reads of what is written so far. A value stands for those of the source that were replaced by it;
// it has one reader if each of them has.
class Readers {
 public:
  explicit Readers(const Program& source) : uses_(live_uses(source)) {}

  void replaced(ValueId source, Expr by) {
    const auto index = static_cast<size_t>(by.id().index);
    if (most_.size() <= index) most_.resize(index + 1, 0);
    most_[index] = std::max(most_[index], uses_[static_cast<size_t>(source.index)]);
  }
  bool is_sole(Expr value) const {
    const auto index = static_cast<size_t>(value.id().index);
    return index < most_.size() && most_[index] == 1;
  }

 private:
  std::vector<int32_t> uses_;  // by value of the source
  std::vector<int32_t> most_;  // by value written: the most of those that it stands for
};

// Elementwise equations on constants.
Expr folded(const Match& m) {
  if (m.equation.op->scalar == nullptr || m.in.empty() || !is_floating(m.type.dtype)) return {};
  ScalarBuilder scalars(m.type.dtype, 0);
  std::vector<Scalar> inputs;
  for (Expr input : m.in) {
    const std::optional<double> value = m.written.constant(input);
    if (!value || input.dtype() != m.type.dtype) return {};
    inputs.push_back(scalars.constant(*value));
  }
  const Scalar result = m.equation.op->scalar(inputs, m.equation.attributes);
  const ScalarBody body = scalars.finish(std::array{result});
  const ScalarInstruction& last = body.instructions[static_cast<size_t>(body.outputs.front())];
  if (last.op != ScalarOp::constant) return {};
  return constant(m.in[0].builder(), last.value, m.type);
}

struct Entry {
  const OpDef* op;
  Rule rule;
};

std::span<const Entry> rules() {
  static const Entry kRules[] = {
      {&ops::neg, double_negation},        {&ops::add, add_negated},
      {&ops::sub, subtract_negated},       {&ops::mul, multiply_by_unit},
      {&ops::div, divide_by_power_of_two}, {&ops::stop_gradient, forwarded},
      {&ops::reshape, reshape_of_reshape}, {&ops::broadcast, broadcast_rules},
      {&ops::transpose, transpose_rules},  {&ops::matmul, matmul_of_transposed},
      {&ops::sum, reduction_of_units},     {&ops::reduce_max, reduction_of_units},
      {&ops::slice, whole_slice},          {&ops::concat, single_part},
  };
  return kRules;
}

}  // namespace

Program simplify(const Program& program) {
  Rewriter rewriter(program);
  Written written(rewriter.builder().program());
  Readers readers(program);
  for (const Equation& equation : program.equations) {
    const std::vector<Expr> inputs = rewriter[equation.inputs];
    const Match match{written, equation, inputs, program.type(equation.outputs.front()),
                      !inputs.empty() && readers.is_sole(inputs.front())};
    Expr replacement = folded(match);
    for (const Entry& entry : rules()) {
      if (entry.op == equation.op && !replacement.valid()) replacement = entry.rule(match);
    }
    if (replacement.valid()) {
      rewriter.replace(equation.outputs.front(), replacement);
    } else {
      rewriter.copy(equation);
    }
    for (ValueId output : equation.outputs) readers.replaced(output, rewriter[output]);
  }
  return rewriter.finish();
}

}  // namespace outerloop::passes
