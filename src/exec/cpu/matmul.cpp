#include <algorithm>
#include <cstdlib>

#include "exec/cpu/conv_narrow.h"
#include "exec/cpu/kernel.h"
#include "exec/cpu/matmul_generator.h"
#include "exec/cpu/matmul_oracle.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr int64_t kMaxOffset = int64_t{1} << 30;

// A column of results whose A is stored by columns: its transpose is one row with unit strides.
bool is_better_transposed(const MatmulSpec& spec) {
  const auto fits = [&](const TileStrides& strides) { return strides[1] == 0 || strides[1] == 1; };
  return spec.n == 1 && spec.m > 1 && spec.a_row == 1 &&
         std::ranges::all_of(spec.epilogue.inputs, fits) &&
         std::ranges::all_of(spec.epilogue.outputs,
                             [](const TileStrides& strides) { return strides[1] == 1; });
}

MatmulSpec transposed(MatmulSpec spec) {
  std::swap(spec.m, spec.n);
  std::swap(spec.a_batch, spec.b_batch);
  std::swap(spec.a_k, spec.b_k);
  spec.a_row = 0;
  for (TileStrides& strides : spec.epilogue.inputs) strides = {strides[0], 0, strides[1]};
  for (TileStrides& strides : spec.epilogue.outputs) strides = {strides[0], 0, strides[1]};
  return spec;
}

// The product as a table of rows, for kernels whose lanes are rows.
ConvPlan row_table(const MatmulSpec& spec) {
  ConvPlan plan{.columns = spec.n, .b_step = spec.b_k, .unit = spec.k};
  ConvGroup& group = plan.groups.emplace_back();
  group.segments.push_back({.rounds = static_cast<int32_t>(spec.k)});
  for (int64_t i = 0; i < spec.m; ++i) {
    group.rows.push_back({static_cast<int32_t>(i * spec.a_row), static_cast<int32_t>(i)});
  }
  return plan;
}

bool has_row_table(const MatmulSpec& spec) {
  const auto fits = [](int64_t value) { return std::abs(value) < kMaxOffset; };
  return spec.batch == 1 && spec.a_k == 1 && spec.n <= 16 && fits(spec.m * spec.a_row) &&
         fits(spec.k * spec.b_k);
}

void check(const MatmulSpec& spec) {
  const auto small = [](int64_t extent) { return extent >= 0 && extent <= INT32_MAX; };
  OL_ASSERT(is_floating(spec.dtype), "matmul works on floating point numbers");
  OL_ASSERT(small(spec.batch) && small(spec.m) && small(spec.n) && small(spec.k),
            "matmul: an extent is out of range");
  check_epilogue(spec.epilogue);
}

}  // namespace

Kernel make_matmul(const MatmulSpec& spec, Isa isa) {
  check(spec);
  if (isa == Isa::scalar) return make_matmul_oracle(spec);
  if (is_better_transposed(spec)) return MatmulGenerator(transposed(spec), isa, 1).generate();
  if (has_row_table(spec)) {
    const ConvPlan plan = row_table(spec);
    if (is_narrow(plan, spec.dtype, isa)) {
      return make_narrow(plan, spec.dtype, spec.epilogue, isa);
    }
  }
  return MatmulGenerator(spec, isa, 0).generate();
}

}  // namespace outerloop::exec
