#include "exec/cuda/cublas.h"

#include <cublas_v2.h>
#include <fmt/format.h>

#include <cstdlib>

#include "exec/cuda/checked.h"
#include "exec/cuda/cuda_version.h"
#include "exec/cuda/gemm_calls.h"
#include "outerloop/base/shared_library.h"

namespace outerloop::exec::cuda {
namespace {

constexpr const char* kCublasAdvice =
    "install the CUDA toolkit's cuBLAS library (libcublas.so.12 or newer), name its file in "
    "OUTERLOOP_CUBLAS, or set runtime.numerics=ordered, which needs none";

SharedLibrary open_library(int driver_major) {
  const char* named = std::getenv("OUTERLOOP_CUBLAS");
  if (named != nullptr && *named != '\0') return SharedLibrary({named});
  return SharedLibrary(library_names("cublas", driver_major));
}

// How float32 is multiplied.
struct Mode {
  std::string_view name;
  cublasComputeType_t compute;
};
Mode mode_of(Products products) {
  switch (products) {
    case Products::tf32:
      return {"tf32", CUBLAS_COMPUTE_32F_FAST_TF32};
    case Products::bfloat16:
      return {"bfloat16", CUBLAS_COMPUTE_32F_FAST_16BF};
    case Products::float32:
    case Products::ordered:
      break;
  }
  return {"float32", CUBLAS_COMPUTE_32F};
}

}  // namespace

// Beside these the product itself, which the header gives two types.
#define OL_CUBLAS_FUNCTIONS(X) \
  X(cublasCreate_v2)           \
  X(cublasDestroy_v2)          \
  X(cublasGetVersion_v2)       \
  X(cublasSetStream_v2) X(cublasSetWorkspace_v2) X(cublasSetMathMode) X(cublasGetStatusString)

struct Cublas::Impl {
  Impl() = default;
  ~Impl() {
    if (handle != nullptr) cublasDestroy_v2(handle);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

#define OL_MEMBER(name) decltype(&::name) name = nullptr;
  OL_CUBLAS_FUNCTIONS(OL_MEMBER)
#undef OL_MEMBER
  cublasStatus_t (*gemm)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k,
                         const void* alpha, const void* a, cudaDataType, int lda, long long,
                         const void* b, cudaDataType, int ldb, long long, const void* beta, void* c,
                         cudaDataType, int ldc, long long, int count, cublasComputeType_t,
                         cublasGemmAlgo_t) = nullptr;
  Mode mode;
  DeviceMemory workspace;
  cublasHandle_t handle = nullptr;
  void* stream = nullptr;
  bool has_stream = false;
  std::string name;
};

#define OL_CUBLAS(expression) OL_CHECKED(expression, impl_->cublasGetStatusString)

Cublas::Cublas(Products products, DeviceMemory workspace, int driver_version)
    : impl_(std::make_unique<Impl>()) {
  const SharedLibrary library = open_library(driver_version / 1000);
  if (!library.is_open()) {
    throw BadInput(fmt::format("fast products are made by cuBLAS, which cannot be loaded ({}): {}",
                               library.why_not(), kCublasAdvice));
  }
#define OL_LOAD(name) \
  impl_->name = reinterpret_cast<decltype(&::name)>(library.symbol(#name, kCublasAdvice));
  OL_CUBLAS_FUNCTIONS(OL_LOAD)
#undef OL_LOAD
  impl_->gemm = reinterpret_cast<decltype(impl_->gemm)>(
      library.symbol("cublasGemmStridedBatchedEx", kCublasAdvice));
  impl_->mode = mode_of(products);
  impl_->workspace = std::move(workspace);
  OL_CHECKED(impl_->cublasCreate_v2(&impl_->handle), [&](cublasStatus_t failure) {
    return fmt::format("{}, of {} with a driver of CUDA {}: {}",
                       impl_->cublasGetStatusString(failure), library.name(),
                       cuda_version(driver_version), kCublasAdvice);
  });
  // What the mode allows is in each call; sums of parts are not rounded in between.
  const auto math = CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
  OL_CUBLAS(impl_->cublasSetMathMode(impl_->handle, static_cast<cublasMath_t>(math)));
  int version = 0;
  OL_CUBLAS(impl_->cublasGetVersion_v2(impl_->handle, &version));
  impl_->name = fmt::format("cuBLAS {}.{}.{}, products in {}", version / 10000, version / 100 % 100,
                            version % 100, impl_->mode.name);
}

Cublas::~Cublas() = default;

const std::string& Cublas::name() const {
  return impl_->name;
}

void Cublas::multiply(void* stream, const DeviceProduct& product, int64_t lanes,
                      const DeviceOperand& a, const DeviceOperand& b, const DeviceOperand& c) {
  if (!impl_->has_stream || impl_->stream != stream) {
    impl_->has_stream = true;
    impl_->stream = stream;
    OL_CUBLAS(impl_->cublasSetStream_v2(impl_->handle, static_cast<cudaStream_t>(stream)));
    // A new stream takes the workspace away.
    OL_CUBLAS(
        impl_->cublasSetWorkspace_v2(impl_->handle, impl_->workspace.data, impl_->workspace.bytes));
  }
  const bool is_double = product.dtype == DType::f64;
  const cudaDataType type = is_double ? CUDA_R_64F : CUDA_R_32F;
  const cublasComputeType_t compute = is_double ? CUBLAS_COMPUTE_64F : impl_->mode.compute;
  constexpr float kOne = 1, kZero = 0;
  constexpr double kOneDouble = 1, kZeroDouble = 0;
  const void* one = is_double ? static_cast<const void*>(&kOneDouble) : &kOne;
  const void* zero = is_double ? static_cast<const void*>(&kZeroDouble) : &kZero;
  for (const GemmCall& g : gemm_calls(product, lanes, a, b, c)) {
    OL_CUBLAS(impl_->gemm(impl_->handle, CUBLAS_OP_N,
                          g.right_transposed ? CUBLAS_OP_T : CUBLAS_OP_N, g.rows, g.columns, g.k,
                          one, g.left, type, g.left_leading, g.left_stride, g.right, type,
                          g.right_leading, g.right_stride, zero, g.result, type, g.result_leading,
                          g.result_stride, g.count, compute, CUBLAS_GEMM_DEFAULT));
  }
}

}  // namespace outerloop::exec::cuda
