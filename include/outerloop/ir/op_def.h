#pragma once
// The record of an op: everything the system knows about it, in one place. Verification, printing,
// differentiation, fusion, planning, cost models and generated tests read the record.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/ir/builder.h"
#include "outerloop/ir/program.h"
#include "outerloop/ir/scalar.h"

namespace outerloop {

enum class OpGroup : uint8_t {
  constant,     // no inputs
  elementwise,  // all inputs and the output have one shape; has a scalar body
  broadcast,    // repeats elements; fusible like elementwise
  reduction,    // sum, max over axes
  movement,     // reshape, transpose, slice, pad, concat: no arithmetic
  contraction,  // matmul, convolutions: bilinear, in FMA-chain order
  index,        // gather, scatter_add, one_hot, …: an int32 input says where
  linalg,       // cholesky, triangular solve
  random,       // counter-based draws from an int32 key
  fused,        // made by passes; the attribute "body" is the defining program
};

using TypeSpan = std::span<const TensorType>;
// Checks the inputs and gives the outputs' types. Throws BadInput: "inner extents must agree:
// (2, 3) x (4, 5)"; the builder puts the name of the op before it.
using TypeRule = std::vector<TensorType> (*)(TypeSpan inputs, const Attributes& attributes);

// Mathematics of one element; `inputs` are scalars of the input elements.
using ScalarRule = Scalar (*)(std::span<const Scalar> inputs, const Attributes& attributes);

// Emits d(output)/d(inputs) applied to the cotangent, with ops of the set. An invalid Expr is a
// symbolic zero. One entry per input.
struct VjpArguments {
  const Equation& equation;
  std::span<const Expr> inputs;
  Expr output;
  Expr cotangent;
  std::vector<bool> needed;  // per input: whether its gradient is asked for; others may stay zero
};
using VjpRule = std::vector<Expr> (*)(const VjpArguments&);

// Emits the output's tangent from the inputs' tangents (invalid: zero).
struct JvpArguments {
  const Equation& equation;
  std::span<const Expr> inputs;
  std::span<const Expr> tangents;
  Expr output;
};
using JvpRule = Expr (*)(const JvpArguments&);

using CostRule = double (*)(TypeSpan inputs, TypeSpan outputs, const Attributes& attributes);

// Inputs for generated tests: types, attributes and the range that each input is drawn from
// (away from kinks where the range excludes them).
struct OpSample {
  std::vector<TensorType> inputs;
  Attributes attributes;
  double low = -1;
  double high = 1;
  double margin = 0;        // float inputs keep at least this far from 0 and from ties
  int64_t index_limit = 0;  // int32 inputs are drawn from [0, index_limit)
  double diagonal = 0;      // added to the diagonal of input 0, a matrix
  std::vector<std::pair<double, double>> ranges;  // per input; empty: low and high for all
};

struct OpDef {
  std::string_view name;
  int arity = 0;  // -1: any number
  OpGroup group = OpGroup::elementwise;
  TypeRule infer = nullptr;
  ScalarRule scalar = nullptr;  // of elementwise ops
  VjpRule vjp = nullptr;        // null: not differentiable, the gradient is zero
  JvpRule jvp = nullptr;
  CostRule flops = nullptr;  // multiply and add count one each; null: one per output element
  bool in_place = false;     // the output may overwrite an input of the same type
  std::vector<OpSample> (*samples)() = nullptr;
};

}  // namespace outerloop
