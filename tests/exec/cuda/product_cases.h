#pragma once
// Products of many shapes, for tests of fast ones.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "outerloop/exec/cuda.h"
#include "outerloop/ops/ops.h"
#include "support/sample_inputs.h"

namespace outerloop::exec::cuda {

// Within `tolerance` of the largest element; some are zero but for rounding.
inline constexpr double kNothing = 1e-6;
inline void expect_close(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual,
                         double tolerance, const std::string& what) {
  ASSERT_EQ(expected.size(), actual.size()) << what;
  for (size_t o = 0; o < expected.size(); ++o) {
    const auto a = expected[o].to_doubles(), b = actual[o].to_doubles();
    ASSERT_EQ(a.size(), b.size()) << what;
    double largest = 0, error = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      largest = std::max(largest, std::abs(a[i]));
      error = std::max(error, std::isnan(b[i]) ? INFINITY : std::abs(a[i] - b[i]));
    }
    EXPECT_LE(error, tolerance * std::max(largest, kNothing)) << what << ": output " << o;
  }
}

inline constexpr Binding kShared = Binding::shared, kOwn = Binding::per_lane;

struct Case {
  int64_t batch, m, n, k;
  bool transpose_a, transpose_b;
  Binding a, b;
  DType dtype;
  size_t calls;  // of the library, for three lanes
};

inline std::string text(const Case& c) {
  return fmt::format("{} x {} x {} x {}{}{}{}{} {}", c.batch, c.m, c.n, c.k,
                     c.transpose_a ? " A^T" : "", c.transpose_b ? " B^T" : "",
                     c.a == kShared ? " one A" : "", c.b == kShared ? " one B" : "",
                     name_of(c.dtype));
}

inline constexpr DType f32 = DType::f32, f64 = DType::f64;
inline constexpr Case kCases[] = {
    {1, 10, 40, 1, false, false, kOwn, kShared, f32, 1},
    {1, 1, 1, 1, false, false, kOwn, kOwn, f32, 1},
    {1, 1, 7, 5, false, false, kOwn, kOwn, f32, 1},
    {1, 1, 7, 5, true, false, kOwn, kOwn, f32, 1},
    {1, 7, 1, 5, true, false, kOwn, kOwn, f32, 1},
    {1, 65, 67, 33, false, false, kOwn, kOwn, f32, 1},
    {1, 30, 5, 100, true, false, kOwn, kOwn, f32, 1},
    {1, 30, 5, 100, true, false, kShared, kOwn, f64, 1},
    {1, 6, 5, 9, false, true, kOwn, kOwn, f32, 1},
    {1, 6, 5, 9, true, true, kOwn, kShared, f64, 1},
    {1, 8, 8, 8, true, false, kShared, kShared, f32, 1},  // once for all lanes
    {4, 7, 20, 17, false, false, kOwn, kOwn, f32, 1},     // lane after lane
    {2, 7, 20, 17, false, true, kOwn, kShared, f32, 2},   // a batch of three lanes, twice
    {5, 3, 4, 6, true, false, kShared, kOwn, f64, 3},     // a batch of five, for each lane
    {3, 1, 4, 1, true, false, kOwn, kOwn, f32, 1},
    {2, 4, 6, 0, false, false, kOwn, kOwn, f32, 0},  // nothing to add up
};

inline Expr product_of(Builder& builder, const Case& c) {
  const auto shape = [&](int64_t rows, int64_t columns, bool swapped) {
    if (swapped) std::swap(rows, columns);
    return c.batch == 1 ? Shape{rows, columns} : Shape{c.batch, rows, columns};
  };
  const Expr a = builder.input("a", {c.dtype, shape(c.m, c.k, c.transpose_a)}, c.a);
  const Expr b = builder.input("b", {c.dtype, shape(c.k, c.n, c.transpose_b)}, c.b);
  return matmul(a, b, c.transpose_a, c.transpose_b);
}

inline std::vector<std::vector<Tensor>> three_lanes(const Program& program) {
  std::vector<std::vector<Tensor>> lanes;
  for (const uint32_t seed : {3, 4, 5}) {
    lanes.push_back(testing_support::draw_inputs(program, {}, seed));
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      if (program.inputs[i].binding == kShared) lanes.back()[i] = lanes.front()[i];
    }
  }
  return lanes;
}

struct Compiled {
  Case c;
  bool follows;  // an epilogue
  Program program;
  std::shared_ptr<const Executable> executable;
};

inline Compiled compile(const Case& c, bool follows, const std::shared_ptr<Device>& device) {
  Builder builder;
  Expr result = product_of(builder, c);
  if (follows) {
    const Expr bias = builder.input("bias", {c.dtype, {c.n}}, kOwn);
    const Expr old = builder.input("old", {c.dtype, result.shape()}, kOwn);
    result = tanh(result + bias) * old;
  }
  builder.output("y", result);
  Program program = builder.finish();
  auto executable = Executable::compile(program, device, {}, Steps::one_by_one);
  return {c, follows, std::move(program), std::move(executable)};
}

}  // namespace outerloop::exec::cuda
