#pragma once
// Products of matrices as calls of a BLAS library, which knows columns where we know rows: it is
// given the transposed product, C^T = B^T A^T.

#include <optional>
#include <vector>

#include "exec/plan/specs.h"
#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// Nothing where no library takes it: empty matrices, strides that are neither rows nor columns, or
// sizes beyond an int. What follows the product is in its epilogue.
std::optional<DeviceProduct> product_of(const MatmulSpec& spec);

// result = left op(right), all column by column: (rows, k) x (k, columns), `count` of them. Strides
// between those are in elements.
struct GemmCall {
  bool right_transposed = false;
  int rows = 0, columns = 0, k = 0;
  const std::byte *left = nullptr, *right = nullptr;
  std::byte* result = nullptr;
  int left_leading = 0, right_leading = 0, result_leading = 0;
  int64_t left_stride = 0, right_stride = 0, result_stride = 0;
  int count = 0;
};

// As few calls as strides allow: one where lanes or the batch are one, or follow each other.
std::vector<GemmCall> gemm_calls(const DeviceProduct& product, int64_t lanes,
                                 const DeviceOperand& a, const DeviceOperand& b,
                                 const DeviceOperand& c);

}  // namespace outerloop::exec::cuda
