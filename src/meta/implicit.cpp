// Implicit meta-gradients (Rajeswaran et al., "Meta-Learning with Implicit Gradients", 2019).
//
// At phi = argmin L_S(phi) + lambda / 2 |phi - theta|^2 the derivative of phi is (I + H /
// lambda)^-1 with H the Hessian of L_S, so d loss / d theta = x with (I + H / lambda) x = d loss /
// d phi. Meta-parameters that do not adapt but enter L_S get - 1 / lambda (d^2 L_S / d theta d
// phi)^T x.

#include "meta/rule.h"
#include "meta/solver.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

// L_S at the end of the inner loop, on the whole support set.
Expr support_objective(Segment& segment) {
  Task whole = segment.task();
  whole.shape.minibatch_rows = 0;
  Mode mode = segment.mode();
  mode.detached = false;
  const Step step(segment.inputs(), whole, segment.end() - 1, mode);
  return segment.learner()
      .step(segment.theta(), segment.state(segment.end()), step)
      .inner_objective;
}

// The adapted weights: state values that begin as a meta-parameter.
Values adapted_weights(const Segment& segment) {
  Values weights;
  for (const auto& [name, value] : segment.state(segment.end())) {
    if (segment.theta().contains(name)) weights.set(name, value);
  }
  return weights;
}

}  // namespace

Cotangents end_by_implicit_solve(Segment& segment) {
  const config::Implicit& config = segment.learner().rule.implicit;
  Builder& builder = segment.builder();
  Cotangents query = end_by_query_loss(segment);

  const Values weights = adapted_weights(segment);
  const std::vector<Expr> points = weights.exprs();
  const std::vector<Expr> gradients = grad(builder, support_objective(segment), points);
  std::vector<Expr> right_side;
  for (const auto& [name, value] : weights) {
    right_side.push_back(or_zeros(query.state.find(name), value));
  }
  const auto scaled_hessian = [&](std::span<const Expr> v) {
    std::vector<Expr> product = jvp(builder, gradients, points, v);
    for (size_t i = 0; i < product.size(); ++i) {
      product[i] = or_zeros(product[i], points[i]) / config.lambda;
    }
    return product;
  };
  const Solution solution = config.solver == config::Solver::cg
                                ? solve_by_conjugate_gradients(scaled_hessian, right_side, config)
                                : solve_by_neumann_series(scaled_hessian, right_side, config);
  builder.output("measure/negative_curvature", solution.negative_curvature);
  builder.output("measure/solver_residual", solution.residual);

  Cotangents result;
  result.theta = query.theta;
  Values slopes;
  size_t place = 0;
  for (const auto& [name, value] : weights) {
    slopes.set(name, gradients[place]);
    result.state.set(name, solution.x[place++]);
  }
  Values known;
  for (const auto& [name, slope] : slopes) known.set(name, result.state.at(name));
  const Cotangents mixed = pull_back(builder, slopes, known, segment.theta(), weights);
  for (const auto& [name, term] : mixed.theta) {
    result.theta.set(name, plus(result.theta.find(name), term / -config.lambda));
  }
  return result;
}

}  // namespace outerloop::meta
