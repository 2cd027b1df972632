#include <cmath>

#include "exec/cpu/body_operation_impl.h"

namespace outerloop::exec {

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

}  // namespace outerloop::exec
