#pragma once
// One naive kernel per op. The table is in oracle.cpp; families are in oracle_<family>.cpp.

#include <span>
#include <vector>

#include "outerloop/ir/op_def.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::exec::oracle {

using Tensors = std::span<const Tensor>;

// Fills `output`, which has the type that the record states and holds zeros.
using Kernel = void (*)(const Attributes& attributes, Tensors inputs, Tensor& output);

// nullptr for elementwise ops and `fused`, which their records define.
Kernel find_kernel(const OpDef& op);

// Calls function(T{}) with the element type.
template <class Function>
void by_floating_type(DType dtype, Function&& function) {
  if (dtype == DType::f64) {
    function(double{});
  } else {
    function(float{});
  }
}

void fill_constant(const Attributes& attributes, Tensors inputs, Tensor& output);
void fill_iota(const Attributes& attributes, Tensors inputs, Tensor& output);
void elementwise(const OpDef& op, const Attributes& attributes, Tensors inputs, Tensor& output);
void random_uniform(const Attributes& attributes, Tensors inputs, Tensor& output);

void sum(const Attributes& attributes, Tensors inputs, Tensor& output);
void reduce_max(const Attributes& attributes, Tensors inputs, Tensor& output);

void broadcast(const Attributes& attributes, Tensors inputs, Tensor& output);
void reshape(const Attributes& attributes, Tensors inputs, Tensor& output);
void transpose(const Attributes& attributes, Tensors inputs, Tensor& output);
void slice(const Attributes& attributes, Tensors inputs, Tensor& output);
void pad(const Attributes& attributes, Tensors inputs, Tensor& output);
void concat(const Attributes& attributes, Tensors inputs, Tensor& output);

void gather(const Attributes& attributes, Tensors inputs, Tensor& output);
void scatter_add(const Attributes& attributes, Tensors inputs, Tensor& output);
void take_per_row(const Attributes& attributes, Tensors inputs, Tensor& output);
void put_per_row(const Attributes& attributes, Tensors inputs, Tensor& output);
void take(const Attributes& attributes, Tensors inputs, Tensor& output);
void scatter(const Attributes& attributes, Tensors inputs, Tensor& output);
void max_pool_index(const Attributes& attributes, Tensors inputs, Tensor& output);
void one_hot(const Attributes& attributes, Tensors inputs, Tensor& output);

void matmul(const Attributes& attributes, Tensors inputs, Tensor& output);
void conv2d(const Attributes& attributes, Tensors inputs, Tensor& output);
void conv2d_input(const Attributes& attributes, Tensors inputs, Tensor& output);
void conv2d_filter(const Attributes& attributes, Tensors inputs, Tensor& output);
void cholesky(const Attributes& attributes, Tensors inputs, Tensor& output);
void triangular_solve(const Attributes& attributes, Tensors inputs, Tensor& output);
void triangle(const Attributes& attributes, Tensors inputs, Tensor& output);

}  // namespace outerloop::exec::oracle
