// Solvers of the implicit rule against dense elimination, and the rule against differences at a
// minimiser.

#include <gtest/gtest.h>

#include <cmath>

#include "meta/cases.h"
#include "meta/solver.h"
#include "outerloop/exec/oracle.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta::testing {
namespace {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;

constexpr size_t kSize = 6;

// Symmetric with these eigenvalues.
Matrix matrix_of(const Vector& eigenvalues) {
  Vector u(kSize);
  double square = 0;
  for (size_t i = 0; i < kSize; ++i) {
    u[i] = std::cos(1.1 * static_cast<double>(i + 1));
    square += u[i] * u[i];
  }
  // Reflection I - 2 u u^T / u^T u on both sides of the diagonal.
  const auto reflect = [&](size_t i, size_t j) {
    return (i == j ? 1.0 : 0.0) - 2 * u[i] * u[j] / square;
  };
  Matrix m(kSize, Vector(kSize, 0.0));
  for (size_t i = 0; i < kSize; ++i) {
    for (size_t j = 0; j < kSize; ++j) {
      for (size_t k = 0; k < kSize; ++k) m[i][j] += reflect(i, k) * eigenvalues[k] * reflect(k, j);
    }
  }
  return m;
}

// (I + m)^-1 b by Gaussian elimination with pivots.
Vector dense_solve(Matrix m, Vector b) {
  for (size_t i = 0; i < kSize; ++i) m[i][i] += 1;
  for (size_t column = 0; column < kSize; ++column) {
    size_t pivot = column;
    for (size_t row = column; row < kSize; ++row) {
      if (std::abs(m[row][column]) > std::abs(m[pivot][column])) pivot = row;
    }
    std::swap(m[column], m[pivot]);
    std::swap(b[column], b[pivot]);
    for (size_t row = 0; row < kSize; ++row) {
      if (row == column) continue;
      const double factor = m[row][column] / m[column][column];
      for (size_t k = 0; k < kSize; ++k) m[row][k] -= factor * m[column][k];
      b[row] -= factor * b[column];
    }
  }
  for (size_t i = 0; i < kSize; ++i) b[i] /= m[i][i];
  return b;
}

Vector right_side() {
  return {1, -0.5, 2, 0.25, -1, 0.75};
}

struct Solved {
  Vector x;
  double residual = 0;
  double negative_curvature = 0;
};

using Solver = Solution (*)(const LinearMap&, std::span<const Expr>, const config::Implicit&);

// The vector is cut into two tensors, (2, 2) and (2).
Solved solve(Solver solver, const Matrix& m, const config::Implicit& config,
             const Vector& b = right_side()) {
  Builder builder;
  const Expr matrix = builder.input("m", {DType::f64, {kSize, kSize}}, Binding::per_lane);
  const Expr first = builder.input("b0", {DType::f64, {2, 2}}, Binding::per_lane);
  const Expr second = builder.input("b1", {DType::f64, {2}}, Binding::per_lane);
  const LinearMap apply = [&](std::span<const Expr> v) {
    const Expr column = concat({reshape(v[0], {4, 1}), reshape(v[1], {2, 1})}, 0);
    const Expr product = matmul(matrix, column);
    return std::vector<Expr>{reshape(slice_axis(product, 0, 0, 4), {2, 2}),
                             reshape(slice_axis(product, 0, 4, 6), {2})};
  };
  const std::vector<Expr> b_parts = {first, second};
  const Solution solution = solver(apply, b_parts, config);
  builder.output("x0", solution.x[0]);
  builder.output("x1", solution.x[1]);
  builder.output("residual", solution.residual);
  builder.output("negative", solution.negative_curvature);
  Vector elements;
  for (const Vector& row : m) elements.insert(elements.end(), row.begin(), row.end());
  const std::vector<Tensor> inputs = {
      Tensor::from<double>({kSize, kSize}, elements),
      Tensor::from<double>({2, 2}, std::span(b).first(4)),
      Tensor::from<double>({2}, std::span(b).last(2)),
  };
  const std::vector<Tensor> results = exec::interpret(builder.finish(), inputs);
  Solved solved{results[0].to_doubles(), results[2].to_doubles()[0], results[3].to_doubles()[0]};
  for (const double value : results[1].to_doubles()) solved.x.push_back(value);
  return solved;
}

void expect_close(const Vector& got, const Vector& expected, double tolerance) {
  for (size_t i = 0; i < kSize; ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(ConjugateGradients, SolveInAsManyStepsAsThereAreEigenvalues) {
  const Matrix m = matrix_of({-0.5, 0, 0.3, 2, 5, 9});
  const Solved solved = solve(solve_by_conjugate_gradients, m, {.iterations = 6});
  expect_close(solved.x, dense_solve(m, right_side()), 1e-11);
  EXPECT_LT(solved.residual, 1e-11);
  EXPECT_EQ(solved.negative_curvature, 0);
  const Matrix two_values = matrix_of({3, 3, 3, 0.5, 0.5, 0.5});
  expect_close(solve(solve_by_conjugate_gradients, two_values, {.iterations = 2}).x,
               dense_solve(two_values, right_side()), 1e-12);
}

TEST(ConjugateGradients, StandStillAtTheTolerance) {
  const Matrix m = matrix_of({-0.5, 0, 0.3, 2, 5, 9});
  config::Implicit config{.iterations = 5, .tolerance = 0.3};
  const Solved few = solve(solve_by_conjugate_gradients, m, config);
  config.iterations = 60;
  const Solved many = solve(solve_by_conjugate_gradients, m, config);
  EXPECT_LE(many.residual, 0.3);
  EXPECT_EQ(many.x, few.x);
  config.tolerance = 0;  // exact zeros on the way divide nothing by zero
  const Solved converged = solve(solve_by_conjugate_gradients, m, config);
  expect_close(converged.x, dense_solve(m, right_side()), 1e-11);
}

TEST(ConjugateGradients, OfZeroAreZero) {
  const Solved solved = solve(solve_by_conjugate_gradients, matrix_of({1, 2, 3, 4, 5, 6}),
                              {.iterations = 4}, Vector(kSize, 0.0));
  EXPECT_EQ(solved.x, Vector(kSize, 0.0));
  EXPECT_EQ(solved.residual, 0);
  EXPECT_EQ(solved.negative_curvature, 0);
}

TEST(ConjugateGradients, StopAndSaySoAtNegativeCurvature) {
  const Matrix m = matrix_of({-3, -2.5, 0.3, 2, 5, 9});
  const Solved solved = solve(solve_by_conjugate_gradients, m, {.iterations = 20});
  EXPECT_EQ(solved.negative_curvature, 1);
  for (const double value : solved.x) EXPECT_TRUE(std::isfinite(value));
}

TEST(NeumannSeries, SolvesWhereItConverges) {
  const Matrix m = matrix_of({-0.4, -0.1, 0, 0.2, 0.3, 0.45});
  const Solved solved = solve(solve_by_neumann_series, m, {.iterations = 60});
  expect_close(solved.x, dense_solve(m, right_side()), 1e-13);
  EXPECT_LT(solved.residual, 1e-13);
  EXPECT_EQ(solved.negative_curvature, 0);
  // n terms leave an error of at most 0.45^(n + 1).
  const Solved short_series = solve(solve_by_neumann_series, m, {.iterations = 4});
  EXPECT_LT(short_series.residual, std::pow(0.45, 5));
  EXPECT_GT(short_series.residual, 1e-4);
}

// At the minimiser of the regularised support loss the rule gives the true derivative of the query
// loss, also for parameters that do not adapt.
TEST(ImplicitRule, IsTheSlopeAtTheMinimiser) {
  for (const std::string name : {"imaml", "imaml_norm", "imaml_neumann"}) {
    Case test = case_called(name);
    test.config.inner.steps = 160;
    test.config.inner.rate = 0.01;
    test.config.learner.implicit.lambda = 20;  // enough for a positive definite system
    test.config.inner.segment = 1;
    test.config.learner.implicit.iterations = 30;
    test.config.learner.implicit.tolerance = 1e-12;
    const Learner learner = learner_of(test);
    const auto plan = make_gradient_plan(learner, test.shape, DType::f64);
    ProgramRunner runner(reference::compiled());
    const NamedTensors inputs = inputs_of(test, learner, DType::f64);
    const NamedTensors results = run_gradient(plan, inputs, runner);
    ASSERT_EQ(results.at("measure/negative_curvature").to_doubles()[0], 0);
    // The first element of every parameter at once, of norms and of the others apart.
    for (const bool norms : {false, true}) {
      double slope = 0;
      std::vector<std::string> moving;
      for (const auto& [output, gradient] : results) {
        if (!output.starts_with("grad/")) continue;
        if ((output.find("norm") != output.npos) != norms) continue;
        moving.push_back("theta/" + output.substr(5));
        slope += gradient.to_doubles()[0];
      }
      const auto loss_at = [&](double length) {
        NamedTensors moved = inputs;
        for (const std::string& input : moving) {
          moved[input] = inputs.at(input).clone();
          moved[input].as<double>()[0] += length;
        }
        return run_gradient(plan, moved, runner).at("loss").to_doubles()[0];
      };
      const double h = 1e-4;
      const double expected = (loss_at(h) - loss_at(-h)) / (2 * h);
      EXPECT_NEAR(slope, expected, 1e-6 * (1 + std::abs(expected))) << name;
      EXPECT_EQ(moving.empty(), norms && name != "imaml_norm");
    }
  }
}

}  // namespace
}  // namespace outerloop::meta::testing
