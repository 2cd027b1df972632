#pragma once
// The instructions of one operation of a body. Arithmetic and the dispatch are in
// body_operations.cpp, comparisons in body_comparisons.cpp, what takes numbers apart into exponent
// and mantissa in body_exponents.cpp.

#include "exec/cpu/body_operations.h"

namespace outerloop::exec {

// Predicates of vcmpps: quiet, and false on NaN but for the negated ones.
struct Predicates {
  uint8_t plain, swapped, negated, swapped_negated;
};

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
  int compare(const ScalarInstruction& comparison, bool negated);
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

}  // namespace outerloop::exec
