#include "exec/cpu/matmul_oracle.h"

#include <cmath>

namespace outerloop::exec {
namespace {

template <class T>
void run(const void* state, void* const* operands) {
  const auto& spec = *static_cast<const MatmulSpec*>(state);
  const auto* a = static_cast<const T*>(operands[0]);
  const auto* b = static_cast<const T*>(operands[1]);
  EpilogueOracle<T> epilogue(spec.epilogue, operands + 2);
  for (int64_t batch = 0; batch < spec.batch; ++batch) {
    for (int64_t i = 0; i < spec.m; ++i) {
      for (int64_t j = 0; j < spec.n; ++j) {
        T chain = 0;
        for (int64_t p = 0; p < spec.k; ++p) {
          chain = std::fma(a[batch * spec.a_batch + i * spec.a_row + p * spec.a_k],
                           b[batch * spec.b_batch + p * spec.b_k + j], chain);
        }
        epilogue.apply(chain, batch, i, j);
      }
    }
  }
}

}  // namespace

Kernel make_matmul_oracle(const MatmulSpec& spec) {
  return {spec.dtype == DType::f64 ? run<double> : run<float>,
          std::make_shared<const MatmulSpec>(spec)};
}

}  // namespace outerloop::exec
