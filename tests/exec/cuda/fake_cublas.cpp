// Refuses what cuBLAS refuses, results that overlap, and work without a workspace of the caller's:
// setting a stream takes it away.

#include "exec/cuda/fake_cublas.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

using outerloop::exec::cuda::FakeCublas;

struct cublasContext {
  cudaStream_t stream = nullptr;
  bool has_workspace = false;
};

namespace {

FakeCublas fake;

// float32 as the mode sees it.
float rounded(float x, cublasComputeType_t compute) {
  const int dropped = compute == CUBLAS_COMPUTE_32F_FAST_TF32   ? 13
                      : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? 16
                                                                : 0;
  const uint32_t mask = ~((uint32_t{1} << dropped) - 1);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & mask);
}
double rounded(double x, cublasComputeType_t) {
  return x;
}

// Sums in falling order, each product rounded: other bits than a chain of FMAs.
template <class T>
void multiply(const outerloop::exec::cuda::FakeGemm& g, const T* a, const T* b, T* c) {
  for (int i = 0; i < g.m; ++i) {
    for (int j = 0; j < g.n; ++j) {
      T sum = 0;
      for (int p = g.k; p-- > 0;) {
        const T left = a[g.a == CUBLAS_OP_N ? i + int64_t{p} * g.lda : p + int64_t{i} * g.lda];
        const T right = b[g.b == CUBLAS_OP_N ? p + int64_t{j} * g.ldb : j + int64_t{p} * g.ldb];
        sum += rounded(left, g.compute) * rounded(right, g.compute);
      }
      c[i + int64_t{j} * g.ldc] = sum;
    }
  }
}

template <class T>
bool all(const outerloop::exec::cuda::FakeGemm& g, const void* one, const void* a, const void* b,
         const void* zero, void* c) {
  if (*static_cast<const T*>(one) != 1 || *static_cast<const T*>(zero) != 0) return false;
  for (int64_t i = 0; i < g.count; ++i) {
    multiply(g, static_cast<const T*>(a) + i * g.stride_a,
             static_cast<const T*>(b) + i * g.stride_b, static_cast<T*>(c) + i * g.stride_c);
  }
  return true;
}

bool is_possible(const outerloop::exec::cuda::FakeGemm& g) {
  if (g.m < 1 || g.n < 1 || g.k < 1 || g.count < 1) return false;
  if (g.lda < (g.a == CUBLAS_OP_N ? g.m : g.k) || g.ldc < g.m) return false;
  if (g.ldb < (g.b == CUBLAS_OP_N ? g.k : g.n)) return false;
  return g.count == 1 || g.stride_c >= int64_t{g.ldc} * (g.n - 1) + g.m;
}

}  // namespace

extern "C" {

FakeCublas* fake_cublas() {
  return &fake;
}

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  if (fake.fails_to_start) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasContext;
  ++fake.handles;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  --fake.handles;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* version) {
  *version = 130203;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  *handle = {stream, false};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* memory, size_t bytes) {
  if (memory == nullptr || bytes == 0) return CUBLAS_STATUS_INVALID_VALUE;
  handle->has_workspace = true;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t mode) {
  const int asked = CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
  return mode == asked ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}
const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_INVALID_VALUE ? "an invalid value" : "another failure";
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa,
                                          cublasOperation_t transb, int m, int n, int k,
                                          const void* alpha, const void* a, cudaDataType type_a,
                                          int lda, long long stride_a, const void* b,
                                          cudaDataType type_b, int ldb, long long stride_b,
                                          const void* beta, void* c, cudaDataType type_c, int ldc,
                                          long long stride_c, int count,
                                          cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  fake.gemms.push_back({transa, transb, m, n, k, lda, ldb, ldc, count, stride_a, stride_b, stride_c,
                        type_a, compute, handle->stream});
  const auto& gemm = fake.gemms.back();
  if (!handle->has_workspace || algorithm != CUBLAS_GEMM_DEFAULT || !is_possible(gemm) ||
      type_b != type_a || type_c != type_a) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool done = type_a == CUDA_R_64F ? all<double>(gemm, alpha, a, b, beta, c)
                                         : all<float>(gemm, alpha, a, b, beta, c);
  return done ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

}  // extern "C"
