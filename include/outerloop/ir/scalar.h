#pragma once
// What one element of an elementwise computation does, as a flat list of IEEE operations.
//
// Every elementwise op record defines its mathematics once, as a function of Scalar handles. The
// resulting ScalarBody is interpreted on the host (the oracle), emitted as vector instructions by
// the CPU code generator and printed as CUDA source. Each instruction is one correctly rounded
// operation in the element type, so all of them give the same bits (a NaN is a NaN: its sign and
// payload are not defined). Transcendental functions are polynomials built from these instructions
// (ops/functors.h).

#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/tensor/dtype.h"

namespace outerloop {

enum class ScalarOp : uint8_t {
  input,       // the input number `index`
  constant,    // `value`, rounded to the element type
  add,         // a + b
  sub,         // a - b
  mul,         // a * b
  div,         // a / b
  fma,         // a * b + c, rounded once
  sqrt,        // square root
  neg,         // sign bit flipped
  abs,         // sign bit cleared
  min,         // a < b ? a : b   (so a NaN on either side gives b)
  max,         // a > b ? a : b
  round,       // nearest integer, ties to even
  less,        // a < b ? 1 : 0
  less_equal,  // a <= b ? 1 : 0
  equal,       // a == b ? 1 : 0
  select,      // a != 0 ? b : c  (a NaN selects b)
  scale2,      // a * 2^b; b is integral and result and operand are normal, zero, inf or NaN
  exponent,    // e of a = m * 2^e with 1 <= |m| < 2; a is normal
  mantissa,    // m of the same
};

struct ScalarInstruction {
  ScalarOp op = ScalarOp::constant;
  int32_t a = -1;  // operands: earlier instructions
  int32_t b = -1;
  int32_t c = -1;
  int32_t index = -1;  // of an input
  double value = 0;    // of a constant
  // Constants compare by bits: 0 and -0 differ, a NaN equals itself.
  bool operator==(const ScalarInstruction& other) const;

  bool is_operation() const { return op != ScalarOp::input && op != ScalarOp::constant; }
};

// Topological by construction; outputs name instructions.
struct ScalarBody {
  int input_count = 0;
  std::vector<ScalarInstruction> instructions;
  std::vector<int32_t> outputs;
  bool operator==(const ScalarBody&) const = default;
};

class ScalarBuilder;

// A handle to one instruction of a body being built; reads like arithmetic.
struct Scalar {
  ScalarBuilder* builder = nullptr;
  int32_t id = -1;
};

// Builds a body; equal instructions are shared, constants are folded.
class ScalarBuilder {
 public:
  explicit ScalarBuilder(DType dtype, int input_count);

  DType dtype() const { return dtype_; }
  Scalar input(int index);
  Scalar constant(double value);
  Scalar emit(ScalarOp op, Scalar a, Scalar b = {}, Scalar c = {});
  // Drops what the outputs do not need.
  ScalarBody finish(std::span<const Scalar> outputs) const;

 private:
  Scalar append(const ScalarInstruction& instruction);
  DType dtype_;
  int input_count_;
  std::vector<ScalarInstruction> instructions_;
};

Scalar operator+(Scalar a, Scalar b);
Scalar operator-(Scalar a, Scalar b);
Scalar operator*(Scalar a, Scalar b);
Scalar operator/(Scalar a, Scalar b);
Scalar operator-(Scalar a);
Scalar operator+(Scalar a, double b);
Scalar operator-(Scalar a, double b);
Scalar operator*(Scalar a, double b);
Scalar operator/(Scalar a, double b);
Scalar operator+(double a, Scalar b);
Scalar operator-(double a, Scalar b);
Scalar operator*(double a, Scalar b);
Scalar operator/(double a, Scalar b);
Scalar fma(Scalar a, Scalar b, Scalar c);
Scalar sqrt(Scalar a);
Scalar abs(Scalar a);
Scalar min(Scalar a, Scalar b);
Scalar max(Scalar a, Scalar b);
Scalar round(Scalar a);
Scalar less(Scalar a, Scalar b);
Scalar less_equal(Scalar a, Scalar b);
Scalar equal(Scalar a, Scalar b);
Scalar select(Scalar mask, Scalar if_true, Scalar if_false);
Scalar scale2(Scalar a, Scalar n);
Scalar exponent(Scalar a);
Scalar mantissa(Scalar a);

// The oracle: evaluates the body on one element. T is float or double; `registers` is scratch of
// body.instructions.size() elements.
template <class T>
void evaluate(const ScalarBody& body, std::span<const T> inputs, std::span<T> outputs,
              std::span<T> registers);

// One instruction of the oracle, also used to fold constants.
template <class T>
T evaluate(ScalarOp op, T a, T b, T c);

}  // namespace outerloop
