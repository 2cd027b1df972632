#include "exec/cpu/body_operation_impl.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {

// A register for the result, which may be one that the operands just left.
Vector Operation::define() {
  const int reg = regs_.allocate();
  regs_.define(value_, reg);
  return regs_.vec(reg);
}

void Operation::binary(Binary operation, bool commutes) {
  int a = instruction_.a;
  int b = instruction_.b;
  if (commutes && regs_.stays_in_memory(a) && !regs_.stays_in_memory(b)) std::swap(a, b);
  const Vector left = regs_.to_register(a);
  const BodyRegisters::Operand right = regs_.operand(b);
  regs_.consume(a);
  regs_.consume(b);
  (as_.*operation)(define(), left, right);
}

// The result overwrites an operand that is read for the last time, if there is one.
void Operation::fma() {
  int a = instruction_.a;
  int b = instruction_.b;
  const int c = instruction_.c;
  for (int v : {a, b, c}) {
    if (!regs_.stays_in_memory(v)) regs_.to_register(v);
  }
  const auto dies = [&](int v) { return regs_.dies(v, (v == a) + (v == b) + (v == c)); };
  const auto in_memory = [&](int v) { return regs_.stays_in_memory(v); };
  const auto finish = [&](Vector target) {
    for (int v : {a, b, c}) regs_.consume(v);
    regs_.define(value_, target.getIdx());
  };
  if (dies(c) || (!dies(a) && !dies(b) && (in_memory(c) || (!in_memory(a) && !in_memory(b))))) {
    if (in_memory(a)) std::swap(a, b);
    const Vector factor = regs_.to_register(a);
    const bool in_place = dies(c);
    const Vector target = in_place ? regs_.to_register(c) : regs_.vec(regs_.allocate());
    if (!in_place) regs_.copy_to(c, target.getIdx());
    const BodyRegisters::Operand other = regs_.operand(b);
    finish(target);
    as_.fma231(target, factor, other);
    return;
  }
  // Over the factor a: one that dies, or a copy of one in memory.
  if (!dies(a) && (dies(b) || in_memory(b))) std::swap(a, b);
  const bool in_place = dies(a);
  const Vector target = in_place ? regs_.to_register(a) : regs_.vec(regs_.allocate());
  if (!in_place) regs_.copy_to(a, target.getIdx());
  if (in_memory(b)) {
    const Vector addend = regs_.to_register(c);
    const BodyRegisters::Operand factor = regs_.operand(b);
    finish(target);
    as_.fma132(target, addend, factor);
  } else {
    const Vector factor = regs_.to_register(b);
    const BodyRegisters::Operand addend = regs_.operand(c);
    finish(target);
    as_.fma213(target, factor, addend);
  }
}

void Operation::unary(void (Assembler::*f32)(const Xbyak::Xmm&, const Xbyak::Operand&),
                      void (Assembler::*f64)(const Xbyak::Xmm&, const Xbyak::Operand&)) {
  const BodyRegisters::Operand a = regs_.operand(instruction_.a);
  regs_.consume(instruction_.a);
  (as_.*(as_.is_f32() ? f32 : f64))(define(), a);
}

void Operation::unary(void (Assembler::*f32)(const Xbyak::Xmm&, const Xbyak::Operand&, uint8_t),
                      void (Assembler::*f64)(const Xbyak::Xmm&, const Xbyak::Operand&, uint8_t),
                      uint8_t immediate) {
  const BodyRegisters::Operand a = regs_.operand(instruction_.a);
  regs_.consume(instruction_.a);
  (as_.*(as_.is_f32() ? f32 : f64))(define(), a, immediate);
}

void Operation::bitwise_and(Vector target, Vector a, const Xbyak::Operand& b) {
  as_.is_f32() ? as_.vandps(target, a, b) : as_.vandpd(target, a, b);
}

void Operation::bitwise_or(Vector target, Vector a, const Xbyak::Operand& b) {
  as_.is_f32() ? as_.vorps(target, a, b) : as_.vorpd(target, a, b);
}

void Operation::shift_left(Vector target, Vector a, uint8_t bits) {
  as_.is_f32() ? as_.vpslld(target, a, bits) : as_.vpsllq(target, a, bits);
}

void Operation::flip_sign() {
  const Vector a = regs_.to_register(instruction_.a);
  const Xbyak::Address sign = as_.constant(-0.0);
  regs_.consume(instruction_.a);
  const Vector target = define();
  as_.is_f32() ? as_.vxorps(target, a, sign) : as_.vxorpd(target, a, sign);
}

void Operation::clear_sign() {
  const Vector a = regs_.to_register(instruction_.a);
  const uint64_t magnitude = as_.pattern(-0.0) - 1;
  regs_.consume(instruction_.a);
  bitwise_and(define(), a, as_.constant_bits(magnitude));
}

void Operation::emit() {
  switch (instruction_.op) {
    case ScalarOp::add:
      return binary(&Assembler::add, true);
    case ScalarOp::sub:
      return binary(&Assembler::sub, false);
    case ScalarOp::mul:
      return binary(&Assembler::mul, true);
    case ScalarOp::div:
      return binary(&Assembler::div, false);
    case ScalarOp::min:
      return binary(&Assembler::min, false);
    case ScalarOp::max:
      return binary(&Assembler::max, false);
    case ScalarOp::fma:
      return fma();
    case ScalarOp::sqrt:
      return unary(&Assembler::vsqrtps, &Assembler::vsqrtpd);
    case ScalarOp::round:
      return round();
    case ScalarOp::neg:
      return flip_sign();
    case ScalarOp::abs:
      return clear_sign();
    case ScalarOp::less:
    case ScalarOp::less_equal:
    case ScalarOp::equal:
      return compare_to_number();
    case ScalarOp::select:
      return select();
    case ScalarOp::scale2:
      return scale2();
    case ScalarOp::exponent:
      return exponent();
    case ScalarOp::mantissa:
      return mantissa();
    case ScalarOp::input:
    case ScalarOp::constant:
      break;
  }
  OL_ASSERT(false, "inputs and constants are not operations");
}

void emit_operation(Assembler& assembler, const ScalarBody& body, const BodyLiveness& liveness,
                    int position, int compare_mask, BodyRegisters& registers) {
  Operation(assembler, body, liveness, position, compare_mask, registers).emit();
  registers.end_instruction();
}

}  // namespace outerloop::exec
