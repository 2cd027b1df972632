#include <utility>

#include "outerloop/ops/ops.h"
#include "outerloop/ops/records.h"
#include "outerloop/passes/pass.h"
#include "passes/rewrite.h"

namespace outerloop::passes {
namespace {

// The last two axes swapped; a row or column vector only changes its shape.
Expr swapped(Expr x) {
  Shape shape = x.shape();
  const int rank = shape.rank();
  std::swap(shape[rank - 2], shape[rank - 1]);
  return shape[rank - 2] == 1 || shape[rank - 1] == 1 ? reshape(x, shape) : transpose(x);
}

}  // namespace

// Matmul kernels read rows of B as vectors, so a transposed B becomes an explicit transposition:
// it is then shared by all its users and, for meta-parameters, done once for all lanes.
Program lower_transposes(const Program& program) {
  Rewriter rewriter(program);
  for (const Equation& equation : program.equations) {
    if (equation.op != &ops::matmul || equation.attributes.integer("transpose_b") == 0) {
      rewriter.copy(equation);
      continue;
    }
    const std::vector<Expr> inputs = rewriter[equation.inputs];
    const bool transpose_a = equation.attributes.integer("transpose_a") != 0;
    const Expr product = matmul(inputs[0], swapped(inputs[1]), transpose_a, false);
    rewriter.replace(equation.outputs.front(), product);
  }
  return rewriter.finish();
}

}  // namespace outerloop::passes
