#include "exec/cpu/body_operation_impl.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

Predicates predicates_of(ScalarOp op) {
  if (op == ScalarOp::less) return {0x11, 0x1e, 0x15, 0x1a};
  if (op == ScalarOp::less_equal) return {0x12, 0x1d, 0x16, 0x19};
  OL_ASSERT(op == ScalarOp::equal, "no comparison");
  return {0x00, 0x00, 0x04, 0x04};
}
constexpr Predicates kNotZero{0x04, 0x04, 0x00, 0x00};

}  // namespace

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

int Operation::compare(const ScalarInstruction& comparison, bool negated) {
  return compare(comparison.a, comparison.b, predicates_of(comparison.op), negated);
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

}  // namespace outerloop::exec
