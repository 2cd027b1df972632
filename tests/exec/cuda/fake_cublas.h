#pragma once
// A cuBLAS for tests: plain loops on the host, and a record of what it was asked.

#include <cublas_v2.h>

#include <string>
#include <vector>

namespace outerloop::exec::cuda {

struct FakeGemm {
  cublasOperation_t a, b;
  int m, n, k, lda, ldb, ldc, count;
  long long stride_a, stride_b, stride_c;
  cudaDataType type;
  cublasComputeType_t compute;
  void* stream;
};

struct FakeCublas {
  std::vector<FakeGemm> gemms;
  int handles = 0;  // alive
  bool fails_to_start = false;
};

}  // namespace outerloop::exec::cuda
