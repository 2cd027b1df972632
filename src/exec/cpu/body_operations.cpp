#include "exec/cpu/body_operations.h"

#include <cmath>

#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

// Predicates of vcmpps: quiet, and false on NaN but for the negated ones.
struct Predicates {
  uint8_t plain, swapped, negated, swapped_negated;
};
Predicates predicates_of(ScalarOp op) {
  if (op == ScalarOp::less) return {0x11, 0x1e, 0x15, 0x1a};
  if (op == ScalarOp::less_equal) return {0x12, 0x1d, 0x16, 0x19};
  OL_ASSERT(op == ScalarOp::equal, "no comparison");
  return {0x00, 0x00, 0x04, 0x04};
}
constexpr Predicates kNotZero{0x04, 0x04, 0x00, 0x00};

class Operation {
 public:
  Operation(Assembler& assembler, const ScalarBody& body, const BodyLiveness& liveness,
            int position, int compare_mask, BodyRegisters& registers)
      : as_(assembler),
        body_(body),
        liveness_(liveness),
        value_(position),
        instruction_(body.instructions[static_cast<size_t>(position)]),
        mask_(compare_mask),
        regs_(registers) {}

  void emit();

 private:
  using Binary = void (Assembler::*)(Vector, Vector, const Xbyak::Operand&);

  Vector define();
  void binary(Binary operation, bool commutes);
  void fma();
  void unary(void (Assembler::*f32)(const Xbyak::Xmm&, const Xbyak::Operand&),
             void (Assembler::*f64)(const Xbyak::Xmm&, const Xbyak::Operand&));
  void unary(void (Assembler::*f32)(const Xbyak::Xmm&, const Xbyak::Operand&, uint8_t),
             void (Assembler::*f64)(const Xbyak::Xmm&, const Xbyak::Operand&, uint8_t),
             uint8_t immediate);
  void flip_sign();
  void clear_sign();
  void compare_to_number();
  void select();
  // Leaves the comparison of a with b (with zero where b is none) in the mask register, or on AVX2
  // in the vector register returned.
  int compare(int a, int b, const Predicates& predicates, bool negated);
  int compare(const ScalarInstruction& comparison, bool negated) {
    return compare(comparison.a, comparison.b, predicates_of(comparison.op), negated);
  }
  void scale2();
  void round();
  void exponent();
  void mantissa();
  void bitwise_and(Vector target, Vector a, const Xbyak::Operand& b);
  void bitwise_or(Vector target, Vector a, const Xbyak::Operand& b);
  void shift_left(Vector target, Vector a, uint8_t bits);

  int mantissa_bits() const { return as_.is_f32() ? 23 : 52; }
  Vector masked(Vector v) const { return v | Xbyak::Opmask(mask_) | Xbyak::util::T_z; }

  Assembler& as_;
  const ScalarBody& body_;
  const BodyLiveness& liveness_;
  int value_;
  const ScalarInstruction& instruction_;
  int mask_;
  BodyRegisters& regs_;
};

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

int Operation::compare(int a, int b, const Predicates& predicates, bool negated) {
  const bool swapped = b >= 0 && regs_.stays_in_memory(a) && !regs_.stays_in_memory(b);
  if (swapped) std::swap(a, b);
  const uint8_t predicate = swapped ? (negated ? predicates.swapped_negated : predicates.swapped)
                                    : (negated ? predicates.negated : predicates.plain);
  const Vector left = regs_.to_register(a);
  const int result = as_.is_avx512() ? -1 : regs_.allocate();
  const BodyRegisters::Operand right =
      b >= 0 ? regs_.operand(b) : BodyRegisters::Operand(as_.constant(0.0));
  if (as_.is_avx512()) {
    const Xbyak::Opmask mask(mask_);
    as_.is_f32() ? as_.vcmpps(mask, left, right, predicate)
                 : as_.vcmppd(mask, left, right, predicate);
  } else {
    const Vector target = regs_.vec(result);
    as_.is_f32() ? as_.vcmpps(target, left, right, predicate)
                 : as_.vcmppd(target, left, right, predicate);
  }
  regs_.consume(a);
  if (b >= 0) regs_.consume(b);
  return result;
}

void Operation::compare_to_number() {
  const int mask = compare(instruction_, false);
  if (as_.is_avx512()) {
    as_.load_constant(masked(define()), 1.0);
    return;
  }
  regs_.release(mask);
  bitwise_and(define(), regs_.vec(mask), as_.constant(1.0));
}

void Operation::select() {
  int if_true = instruction_.b;
  int if_false = instruction_.c;
  const bool negated = regs_.is_zero(if_true) && !regs_.is_zero(if_false);
  const bool deferred = liveness_.deferred[static_cast<size_t>(instruction_.a)];
  const int mask = deferred
                       ? compare(body_.instructions[static_cast<size_t>(instruction_.a)], negated)
                       : compare(instruction_.a, -1, kNotZero, negated);
  if (negated) std::swap(if_true, if_false);
  if (regs_.is_zero(if_false)) {
    const Vector a = regs_.to_register(if_true);
    regs_.consume(if_true);
    regs_.consume(if_false);
    if (mask >= 0) regs_.release(mask);
    const Vector target = define();
    if (as_.is_avx512()) {
      as_.is_f32() ? as_.vmovaps(masked(target), a) : as_.vmovapd(masked(target), a);
    } else {
      bitwise_and(target, a, regs_.vec(mask));
    }
    return;
  }
  const Vector b = regs_.to_register(if_false);
  const BodyRegisters::Operand a = regs_.operand(if_true);
  regs_.consume(if_true);
  regs_.consume(if_false);
  if (mask >= 0) regs_.release(mask);
  const Vector target = define();
  if (as_.is_avx512()) {
    const Vector governed = target | Xbyak::Opmask(mask_);
    as_.is_f32() ? as_.vblendmps(governed, b, a) : as_.vblendmpd(governed, b, a);
  } else {
    as_.is_f32() ? as_.vblendvps(target, b, a, regs_.vec(mask))
                 : as_.vblendvpd(target, b, a, regs_.vec(mask));
  }
}

// a * 2^b. Without vscalef: by three powers of two whose exponents sum to b and fit the format, so
// that products on the way from a to the result are as exact as the result.
void Operation::scale2() {
  if (as_.is_avx512()) {
    const Vector a = regs_.to_register(instruction_.a);
    const BodyRegisters::Operand b = regs_.operand(instruction_.b);
    regs_.consume(instruction_.a);
    regs_.consume(instruction_.b);
    const Vector target = define();
    as_.is_f32() ? as_.vscalefps(target, a, b) : as_.vscalefpd(target, a, b);
    return;
  }
  const double bias = as_.is_f32() ? 127 : 1023;
  const double align_units = 1.5 * std::ldexp(1.0, mantissa_bits());
  const Vector factor = regs_.vec(regs_.allocate());
  const Vector rest = regs_.vec(regs_.allocate());
  Vector exponent = regs_.to_register(instruction_.b);
  Vector product = regs_.to_register(instruction_.a);
  for (int step = 0; step < 3; ++step) {
    as_.max(factor, exponent, as_.constant(1 - bias));
    as_.min(factor, factor, as_.constant(bias));
    if (step < 2) as_.sub(rest, exponent, factor);
    as_.add(factor, factor, as_.constant(align_units + bias));
    shift_left(factor, factor, static_cast<uint8_t>(mantissa_bits()));
    if (step == 0) {
      regs_.consume(instruction_.b);
      regs_.consume(instruction_.a);
      const Vector target = define();
      as_.mul(target, product, factor);
      product = target;
      exponent = rest;
    } else {
      as_.mul(product, product, factor);
    }
  }
  regs_.release(rest.getIdx());
  regs_.release(factor.getIdx());
}

// The biased exponent, placed in the mantissa of 2^mantissa_bits, less both.
void Operation::exponent() {
  if (as_.is_avx512()) return unary(&Assembler::vgetexpps, &Assembler::vgetexppd);
  const Vector a = regs_.to_register(instruction_.a);
  regs_.consume(instruction_.a);
  const Vector target = define();
  const double unit = std::ldexp(1.0, mantissa_bits());
  shift_left(target, a, 1);
  const auto down = static_cast<uint8_t>(mantissa_bits() + 1);
  as_.is_f32() ? as_.vpsrld(target, target, down) : as_.vpsrlq(target, target, down);
  bitwise_or(target, target, as_.constant(unit));
  as_.sub(target, target, as_.constant(unit + (as_.is_f32() ? 127 : 1023)));
}

void Operation::mantissa() {
  if (as_.is_avx512()) return unary(&Assembler::vgetmantps, &Assembler::vgetmantpd, 0);
  const Vector a = regs_.to_register(instruction_.a);
  const uint64_t fraction = (uint64_t{1} << mantissa_bits()) - 1;
  regs_.consume(instruction_.a);
  const Vector target = define();
  bitwise_and(target, a, as_.constant_bits(as_.pattern(-0.0) | fraction));
  bitwise_or(target, target, as_.constant(1.0));
}

void Operation::round() {
  constexpr uint8_t kNearestEvenQuiet = 8;
  if (as_.is_avx512()) {
    return unary(&Assembler::vrndscaleps, &Assembler::vrndscalepd, kNearestEvenQuiet);
  }
  unary(&Assembler::vroundps, &Assembler::vroundpd, kNearestEvenQuiet);
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

}  // namespace

void emit_operation(Assembler& assembler, const ScalarBody& body, const BodyLiveness& liveness,
                    int position, int compare_mask, BodyRegisters& registers) {
  Operation(assembler, body, liveness, position, compare_mask, registers).emit();
  registers.end_instruction();
}

}  // namespace outerloop::exec
