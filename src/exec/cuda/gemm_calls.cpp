#include "exec/cuda/gemm_calls.h"

#include <algorithm>
#include <limits>

namespace outerloop::exec::cuda {
namespace {

constexpr int64_t kMost = std::numeric_limits<int>::max();

// Of the lanes and of the batch, in elements.
struct Strides {
  int64_t lane = 0;
  int64_t batch = 0;
  // Lane after lane as one batch.
  bool follow(int64_t count) const { return lane == batch * count; }
};

// One matrix has any distance to the next row; a library wants a possible one.
int leading(int64_t stride, int64_t length, int64_t rows) {
  return static_cast<int>(rows == 1 ? std::max(stride, length) : stride);
}

}  // namespace

std::optional<DeviceProduct> product_of(const MatmulSpec& spec) {
  if (spec.batch * spec.m * spec.n * spec.k == 0) return std::nullopt;
  const bool by_rows = spec.a_k == 1 && (spec.m == 1 || spec.a_row >= spec.k);
  const bool by_columns = spec.a_row == 1 && (spec.k == 1 || spec.a_k >= spec.m);
  const bool b_by_rows = spec.k == 1 || spec.b_k >= spec.n;
  if (!(by_rows || by_columns) || !b_by_rows) return std::nullopt;
  for (const int64_t size : {spec.batch, spec.m, spec.n, spec.k, spec.a_row, spec.a_k, spec.b_k}) {
    if (size > kMost) return std::nullopt;
  }
  return DeviceProduct{.dtype = spec.dtype,
                       .batch = spec.batch,
                       .m = spec.m,
                       .n = spec.n,
                       .k = spec.k,
                       .a_batch = spec.a_batch,
                       .a_row = spec.a_row,
                       .a_k = spec.a_k,
                       .b_batch = spec.b_batch,
                       .b_k = spec.b_k,
                       .c_batch = spec.m * spec.n,
                       .c_row = spec.n};
}

std::vector<GemmCall> gemm_calls(const DeviceProduct& p, int64_t lanes, const DeviceOperand& a,
                                 const DeviceOperand& b, const DeviceOperand& c) {
  const auto bytes = static_cast<int64_t>(size_of(p.dtype));
  const Strides of_a{a.lane_stride / bytes, p.a_batch};
  const Strides of_b{b.lane_stride / bytes, p.b_batch};
  const Strides of_c{c.lane_stride / bytes, p.c_batch};
  const bool by_rows = p.a_k == 1 && (p.m == 1 || p.a_row >= p.k);
  GemmCall call{
      .right_transposed = !by_rows,
      .rows = static_cast<int>(p.n),
      .columns = static_cast<int>(p.m),
      .k = static_cast<int>(p.k),
      .left_leading = leading(p.b_k, p.n, p.k),
      .right_leading = by_rows ? leading(p.a_row, p.k, p.m) : leading(p.a_k, p.m, p.k),
      .result_leading = leading(p.c_row, p.n, p.m),
  };
  std::vector<GemmCall> calls;
  // `many` with these strides in each call, and so many calls, `step` apart.
  const auto add = [&](int64_t count, bool over_lanes, int64_t times) {
    const auto inner = [&](const Strides& s) { return over_lanes ? s.lane : s.batch; };
    const auto outer = [&](const Strides& s) { return (over_lanes ? s.batch : s.lane) * bytes; };
    call.count = static_cast<int>(count);
    call.left_stride = inner(of_b);
    call.right_stride = inner(of_a);
    call.result_stride = inner(of_c);
    for (int64_t t = 0; t < times; ++t) {
      call.left = b.base + t * outer(of_b);
      call.right = a.base + t * outer(of_a);
      call.result = c.base + t * outer(of_c);
      calls.push_back(call);
    }
  };
  if (of_a.follow(p.batch) && of_b.follow(p.batch) && of_c.follow(p.batch)) {
    add(lanes * p.batch, false, 1);
  } else if (lanes >= p.batch) {
    add(lanes, true, p.batch);
  } else {
    add(p.batch, false, lanes);
  }
  return calls;
}

}  // namespace outerloop::exec::cuda
