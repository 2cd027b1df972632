// The places of the maxima of pooling windows. The loop over channels is left to the compiler's
// vectoriser, once per instruction set.

#include <algorithm>
#include <array>

#include "exec/cpu/copy.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr int64_t kBlock = 64;  // channels at a time

// x and y of one window; the places of its elements relative to the first.
template <class T>
[[gnu::always_inline]] inline void pool_window(const MaxPoolSpec& spec, const T* x, int32_t first,
                                               int32_t* y) {
  std::array<T, kBlock> best;
  for (int64_t start = 0; start < spec.channels; start += kBlock) {
    const int64_t count = std::min(kBlock, spec.channels - start);
    for (int64_t c = 0; c < count; ++c) {
      best[static_cast<size_t>(c)] = x[start + c];
      y[start + c] = first + static_cast<int32_t>(start + c);
    }
    for (int64_t tap = 1; tap < spec.window * spec.window; ++tap) {
      const int64_t place =
          (tap / spec.window * spec.width + tap % spec.window) * spec.channels + start;
      const int32_t index = first + static_cast<int32_t>(place);
      for (int64_t c = 0; c < count; ++c) {
        const T value = x[place + c];
        const T so_far = best[static_cast<size_t>(c)];
        const bool greater = value > so_far;
        best[static_cast<size_t>(c)] = greater ? value : so_far;
        y[start + c] = greater ? index + static_cast<int32_t>(c) : y[start + c];
      }
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void pool(const void* state, void* const* operands) {
  const MaxPoolSpec& spec = *static_cast<const MaxPoolSpec*>(state);
  const T* x = static_cast<const T*>(operands[0]);
  auto* y = static_cast<int32_t*>(operands[1]);
  for (int64_t image = 0; image < spec.images; ++image) {
    for (int64_t row = 0; row + spec.window <= spec.height; row += spec.stride) {
      for (int64_t column = 0; column + spec.window <= spec.width; column += spec.stride) {
        const int64_t first = ((image * spec.height + row) * spec.width + column) * spec.channels;
        pool_window(spec, x + first, static_cast<int32_t>(first), y);
        y += spec.channels;
      }
    }
  }
}

template <class T>
void pool_scalar(const void* state, void* const* operands) {
  pool<T>(state, operands);
}
template <class T>
[[gnu::target("avx2")]] void pool_avx2(const void* state, void* const* operands) {
  pool<T>(state, operands);
}
template <class T>
[[gnu::target("avx512f,avx512vl,avx512dq,avx512bw,prefer-vector-width=512")]] void pool_avx512(
    const void* state, void* const* operands) {
  pool<T>(state, operands);
}

template <class T>
Kernel::Function function_for(Isa isa) {
  if (isa == Isa::avx512) return pool_avx512<T>;
  return isa == Isa::avx2 ? pool_avx2<T> : pool_scalar<T>;
}

}  // namespace

Kernel make_max_pool_index(const MaxPoolSpec& spec, Isa isa) {
  OL_ASSERT(is_floating(spec.dtype), "pooling needs an ordered type");
  const auto function =
      spec.dtype == DType::f32 ? function_for<float>(isa) : function_for<double>(isa);
  return Kernel(function, std::make_shared<const MaxPoolSpec>(spec));
}

}  // namespace outerloop::exec
