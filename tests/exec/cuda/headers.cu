// Every function of the device headers, as a kernel calls it: compiled by nvcc alone
// (check_headers.sh).

#include "exec/cuda/device/arithmetic.h"
#include "exec/cuda/device/conv.h"
#include "exec/cuda/device/index.h"
#include "exec/cuda/device/linalg.h"
#include "exec/cuda/device/operands.h"
#include "exec/cuda/device/philox.h"
#include "exec/cuda/device/reduce.h"
#include "exec/cuda/device/slots.h"
#include "exec/cuda/device/tile.h"

namespace headers_check {

struct Geometry {
  static constexpr int kHeight = 9, kWidth = 8, kIn = 32, kOutHeight = 5, kOutWidth = 4, kOut = 16;
  static constexpr int kKernelHeight = 3, kKernelWidth = 3, kStride = 2, kTop = 1, kLeft = 1;
};

struct Windows {
  static constexpr int kHeight = 9, kWidth = 8, kChannels = 3, kOutHeight = 4, kOutWidth = 4;
  static constexpr int kWindow = 2, kStride = 2;
};

template <class Steps, class Element, class Mask>
struct Problem : Steps {
  using T = Element;
  using State = Mask;
  static constexpr int kM = 45, kN = 19, kK = 288;
  static constexpr int kBlockM = 32, kBlockN = 32, kBlockK = 16, kThreadM = 4, kThreadN = 2;
  static constexpr bool kSkips = true, kSkipsByTap = false, kSkipsByThread = false;
  static OL_DEVICE int b_k(unsigned k) { return static_cast<int>(k) * kN; }
  const T* a;
  const T* b;
  T* c;
  OL_DEVICE void store(unsigned row, unsigned column, T value) const {
    c[row * kN + column] = value;
  }
};

struct Product : ol::EveryStep {
  static OL_DEVICE int a_row(unsigned row) { return static_cast<int>(row) * 288; }
  static OL_DEVICE int a_k(unsigned k) { return static_cast<int>(k); }
};

template <class P>
__global__ void tile_kernel(const ol::Operands<3> operands) {
  const ol::Pointers<3> p(operands, blockIdx.x);
  P problem;
  problem.a = p.template get<typename P::T>(0);
  problem.b = p.template get<typename P::T>(1);
  problem.c = p.template get<typename P::T>(2);
  __shared__ double scratch[sizeof(ol::TileMemory<P>) / sizeof(double) + 1];
  ol::tile(problem, blockIdx.x, blockIdx.y, reinterpret_cast<char*>(scratch));
}

template <class T>
__global__ void other_kernels(const ol::Operands<3> operands) {
  const ol::Pointers<3> p(operands, blockIdx.x);
  const T* x = p.template get<T>(0);
  const int* indices = p.template get<int>(1);
  T* y = p.template get<T>(2);
  ol::cholesky<7>(x, y);
  ol::triangular_solve<7, 5, true, false>(x, x, y, static_cast<int>(threadIdx.x));
  const unsigned e = threadIdx.x;
  y[e] = ol::gather_rows<5, 3, 4>(x, indices, e);
  y[e] = ol::scatter_add_rows<5, 3, 4>(x, indices, e);
  y[e] = ol::scatter_windows<Windows>(x, indices, e);
  p.template get<int>(2)[e] = ol::max_pool_index<Windows>(x, e);
  unsigned words[ol::kPhiloxWords] = {e, 1, 2, 3};
  ol::philox(4, 5, words);
  y[e] = ol::uniform<T>(words[0]);
  T sums[5] = {x[0], x[1], x[2], x[3], x[4]};
  y[e] = ol::tree<ol::Sum, ol::kContiguousWays>(sums);
  y[e] = ol::warp_tree<ol::Max>(x[e]);
  y[e] = ol::row_tree<ol::Max>(x, 4);
  const T v = x[e];
  y[e] = ol::scale2(ol::mantissa(v), ol::exponent(v));
  y[e] = ol::select(ol::less_equal(v, y[e]), ol::neg(v), ol::round(ol::abs(v)));
  y[e] = ol::div(ol::min(v, ol::sub(v, y[e])), ol::sqrt(ol::mul(v, ol::equal(v, ol::less(v, v)))));
}

__global__ void slot_kernels(const float* values, const unsigned char* counts, float* sums) {
  __shared__ unsigned votes[256];
  const float v = values[threadIdx.x];
  const bool finite = ol::is_finite(__float_as_uint(v));
  if (!ol::all_of_block(finite, votes)) return;
  const ol::SlotNode one = ol::subtree<0>(values, 256, counts);
  const ol::SlotNode many = ol::subtree<5>(values + threadIdx.x, 256, counts);
  sums[threadIdx.x] = ol::parent(one, many).sum;
}

template __global__ void tile_kernel<Problem<Product, float, unsigned>>(ol::Operands<3>);
template __global__ void tile_kernel<Problem<Product, double, unsigned>>(ol::Operands<3>);
template __global__ void tile_kernel<Problem<ol::ConvForward<Geometry, unsigned>, float, unsigned>>(
    ol::Operands<3>);
template __global__ void tile_kernel<Problem<ol::ConvInput<Geometry, unsigned>, float, unsigned>>(
    ol::Operands<3>);
template __global__ void
    tile_kernel<Problem<ol::ConvFilter<Geometry, unsigned long long>, float, unsigned long long>>(
        ol::Operands<3>);
template __global__ void other_kernels<float>(ol::Operands<3>);
template __global__ void other_kernels<double>(ol::Operands<3>);

}  // namespace headers_check
