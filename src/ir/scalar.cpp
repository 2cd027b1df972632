#include "outerloop/ir/scalar.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

bool is_constant(const std::vector<ScalarInstruction>& instructions, int32_t id) {
  return id < 0 || instructions[static_cast<size_t>(id)].op == ScalarOp::constant;
}

}  // namespace

bool ScalarInstruction::operator==(const ScalarInstruction& other) const {
  return op == other.op && a == other.a && b == other.b && c == other.c && index == other.index &&
         std::bit_cast<uint64_t>(value) == std::bit_cast<uint64_t>(other.value);
}

ScalarBuilder::ScalarBuilder(DType dtype, int input_count)
    : dtype_(dtype), input_count_(input_count) {}

Scalar ScalarBuilder::append(const ScalarInstruction& instruction) {
  const auto found = std::ranges::find(instructions_, instruction);
  const auto id = static_cast<int32_t>(found - instructions_.begin());
  if (found == instructions_.end()) instructions_.push_back(instruction);
  return {this, id};
}

Scalar ScalarBuilder::input(int index) {
  OL_ASSERT(index >= 0 && index < input_count_, "scalar input out of range");
  return append({.op = ScalarOp::input, .index = index});
}

Scalar ScalarBuilder::constant(double value) {
  if (dtype_ == DType::f32) value = static_cast<float>(value);
  return append({.op = ScalarOp::constant, .value = value});
}

Scalar ScalarBuilder::emit(ScalarOp op, Scalar a, Scalar b, Scalar c) {
  if (is_constant(instructions_, a.id) && is_constant(instructions_, b.id) &&
      is_constant(instructions_, c.id)) {
    const auto value = [&](Scalar s) {
      return s.id < 0 ? 0.0 : instructions_[static_cast<size_t>(s.id)].value;
    };
    if (dtype_ == DType::f64) return constant(evaluate(op, value(a), value(b), value(c)));
    const auto as_float = [&](Scalar s) { return static_cast<float>(value(s)); };
    return constant(evaluate(op, as_float(a), as_float(b), as_float(c)));
  }
  return append({.op = op, .a = a.id, .b = b.id, .c = c.id});
}

ScalarBody ScalarBuilder::finish(std::span<const Scalar> outputs) const {
  std::vector<bool> needed(instructions_.size(), false);
  for (Scalar output : outputs) needed[static_cast<size_t>(output.id)] = true;
  for (size_t i = instructions_.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (int32_t operand : {instructions_[i].a, instructions_[i].b, instructions_[i].c}) {
      if (operand >= 0) needed[static_cast<size_t>(operand)] = true;
    }
  }
  ScalarBody body{.input_count = input_count_};
  std::vector<int32_t> renumbered(instructions_.size(), -1);
  const auto renumber = [&](int32_t id) {
    return id < 0 ? id : renumbered[static_cast<size_t>(id)];
  };
  for (size_t i = 0; i < instructions_.size(); ++i) {
    if (!needed[i]) continue;
    ScalarInstruction instruction = instructions_[i];
    instruction.a = renumber(instruction.a);
    instruction.b = renumber(instruction.b);
    instruction.c = renumber(instruction.c);
    renumbered[i] = static_cast<int32_t>(body.instructions.size());
    body.instructions.push_back(instruction);
  }
  for (Scalar output : outputs) body.outputs.push_back(renumber(output.id));
  return body;
}

Scalar operator+(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::add, a, b);
}
Scalar operator-(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::sub, a, b);
}
Scalar operator*(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::mul, a, b);
}
Scalar operator/(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::div, a, b);
}
Scalar operator-(Scalar a) {
  return a.builder->emit(ScalarOp::neg, a);
}
Scalar operator+(Scalar a, double b) {
  return a + a.builder->constant(b);
}
Scalar operator-(Scalar a, double b) {
  return a - a.builder->constant(b);
}
Scalar operator*(Scalar a, double b) {
  return a * a.builder->constant(b);
}
Scalar operator/(Scalar a, double b) {
  return a / a.builder->constant(b);
}
Scalar operator+(double a, Scalar b) {
  return b.builder->constant(a) + b;
}
Scalar operator-(double a, Scalar b) {
  return b.builder->constant(a) - b;
}
Scalar operator*(double a, Scalar b) {
  return b.builder->constant(a) * b;
}
Scalar operator/(double a, Scalar b) {
  return b.builder->constant(a) / b;
}
Scalar fma(Scalar a, Scalar b, Scalar c) {
  return a.builder->emit(ScalarOp::fma, a, b, c);
}
Scalar sqrt(Scalar a) {
  return a.builder->emit(ScalarOp::sqrt, a);
}
Scalar abs(Scalar a) {
  return a.builder->emit(ScalarOp::abs, a);
}
Scalar min(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::min, a, b);
}
Scalar max(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::max, a, b);
}
Scalar round(Scalar a) {
  return a.builder->emit(ScalarOp::round, a);
}
Scalar less(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::less, a, b);
}
Scalar less_equal(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::less_equal, a, b);
}
Scalar equal(Scalar a, Scalar b) {
  return a.builder->emit(ScalarOp::equal, a, b);
}
Scalar select(Scalar mask, Scalar if_true, Scalar if_false) {
  return mask.builder->emit(ScalarOp::select, mask, if_true, if_false);
}
Scalar scale2(Scalar a, Scalar n) {
  return a.builder->emit(ScalarOp::scale2, a, n);
}
Scalar exponent(Scalar a) {
  return a.builder->emit(ScalarOp::exponent, a);
}
Scalar mantissa(Scalar a) {
  return a.builder->emit(ScalarOp::mantissa, a);
}

template <class T>
T evaluate(ScalarOp op, T a, T b, T c) {
  switch (op) {
    case ScalarOp::input:
    case ScalarOp::constant:
      break;
    case ScalarOp::add:
      return a + b;
    case ScalarOp::sub:
      return a - b;
    case ScalarOp::mul:
      return a * b;
    case ScalarOp::div:
      return a / b;
    case ScalarOp::fma:
      return std::fma(a, b, c);
    case ScalarOp::sqrt:
      return std::sqrt(a);
    case ScalarOp::neg:
      return -a;
    case ScalarOp::abs:
      return std::fabs(a);
    case ScalarOp::min:
      return a < b ? a : b;
    case ScalarOp::max:
      return a > b ? a : b;
    case ScalarOp::round:
      return std::nearbyint(a);
    case ScalarOp::less:
      return a < b ? T{1} : T{0};
    case ScalarOp::less_equal:
      return a <= b ? T{1} : T{0};
    case ScalarOp::equal:
      return a == b ? T{1} : T{0};
    case ScalarOp::select:
      return a != T{0} ? b : c;
    case ScalarOp::scale2:
      return std::ldexp(a, static_cast<int>(b));
    case ScalarOp::exponent:
      return static_cast<T>(std::ilogb(a));
    case ScalarOp::mantissa:
      return a == T{0} ? a : std::ldexp(a, -std::ilogb(a));
  }
  OL_ASSERT(false, "inputs and constants are not operations");
}

template <class T>
void evaluate(const ScalarBody& body, std::span<const T> inputs, std::span<T> outputs,
              std::span<T> registers) {
  const auto operand = [&](int32_t id) {
    return id < 0 ? T{} : registers[static_cast<size_t>(id)];
  };
  for (size_t i = 0; i < body.instructions.size(); ++i) {
    const ScalarInstruction& instruction = body.instructions[i];
    if (instruction.op == ScalarOp::input) {
      registers[i] = inputs[static_cast<size_t>(instruction.index)];
    } else if (instruction.op == ScalarOp::constant) {
      registers[i] = static_cast<T>(instruction.value);
    } else {
      registers[i] = evaluate(instruction.op, operand(instruction.a), operand(instruction.b),
                              operand(instruction.c));
    }
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i] = registers[static_cast<size_t>(body.outputs[i])];
  }
}

template float evaluate(ScalarOp, float, float, float);
template double evaluate(ScalarOp, double, double, double);
template void evaluate(const ScalarBody&, std::span<const float>, std::span<float>,
                       std::span<float>);
template void evaluate(const ScalarBody&, std::span<const double>, std::span<double>,
                       std::span<double>);

}  // namespace outerloop
