#pragma once
// What CUDA declares by itself, for kernels that are compiled for the host. Threads of a block that
// meet barriers are fibers of one system thread, which switch there; others run one after the
// other. Not thread-safe; nothing here outlives a launch.

#include <math.h>
#include <string.h>

#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __noinline__
#define __grid_constant__
#define OL_ASSUME_GLOBAL(address)
#define __shared__ static
#define __launch_bounds__(...)

// Starts as NaN, as the memory of the device.
#define OL_DYNAMIC_SHARED(name) char* const name = host_dynamic_shared
static char host_dynamic_shared[256 * 1024] __attribute__((aligned(64)));

struct Dim3 {
  unsigned x = 0;
};
static Dim3 threadIdx, blockIdx, blockDim;

template <class To, class From>
inline To host_bits(From from) {
  To to;
  static_assert(sizeof(to) == sizeof(from), "of one size");
  memcpy(&to, &from, sizeof(to));
  return to;
}
inline float __int_as_float(int x) {
  return host_bits<float>(x);
}
inline int __float_as_int(float x) {
  return host_bits<int>(x);
}
inline double __longlong_as_double(long long x) {
  return host_bits<double>(x);
}
inline long long __double_as_longlong(double x) {
  return host_bits<long long>(x);
}
// Compiled without contraction: each is one rounded operation.
inline float __fadd_rn(float a, float b) {
  return a + b;
}
inline double __dadd_rn(double a, double b) {
  return a + b;
}
inline float __fsub_rn(float a, float b) {
  return a - b;
}
inline double __dsub_rn(double a, double b) {
  return a - b;
}
inline float __fmul_rn(float a, float b) {
  return a * b;
}
inline double __dmul_rn(double a, double b) {
  return a * b;
}
inline float __fdiv_rn(float a, float b) {
  return a / b;
}
inline double __ddiv_rn(double a, double b) {
  return a / b;
}
inline float __fmaf_rn(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline double __fma_rn(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}
inline float __fsqrt_rn(float a) {
  return __builtin_sqrtf(a);
}
inline double __dsqrt_rn(double a) {
  return __builtin_sqrt(a);
}

// Saves the caller's registers on its stack and its stack pointer in *from, then goes on where the
// stack `to` was saved (System V ABI, x86-64).
extern "C" void host_switch(void** from, void* to);
asm(R"(
  .text
host_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

// The threads of the block that runs.
class HostBlock {
 public:
  using Body = void (*)(const void* arguments);

  static HostBlock& current() {
    static HostBlock block;
    return block;
  }

  // False when not all threads met the same barriers. Forwards or backwards through the threads:
  // what one order hides of a barrier that is missing, the other shows.
  bool run(Body body, const void* arguments, unsigned threads, bool backwards) {
    const auto nth = [&](unsigned i) { return backwards ? threads - 1 - i : i; };
    body_ = body;
    arguments_ = arguments;
    uniform_ = true;
    waiting_.assign(threads, false);
    if (fibers_.size() < threads) fibers_.resize(threads);
    has_barriers_ = true;
    start(nth(0));
    has_barriers_ = waiting_[nth(0)];
    for (unsigned i = 1; i < threads; ++i) {
      const unsigned t = nth(i);
      if (has_barriers_) {
        start(t);
      } else {
        threadIdx.x = t;
        body_(arguments_);
      }
    }
    while (waiting_[0]) {
      for (unsigned i = 0; i < threads; ++i) {
        uniform_ = uniform_ && waiting_[nth(i)];
        if (waiting_[nth(i)]) resume(nth(i));
      }
    }
    for (const bool waits : waiting_) uniform_ = uniform_ && !waits;
    return uniform_;
  }

  // Every thread of the block gets here before any goes on.
  void barrier() {
    if (!has_barriers_) {
      uniform_ = false;
      return;
    }
    const unsigned own = threadIdx.x;
    waiting_[own] = true;
    host_switch(&fibers_[own].stack_pointer, scheduler_);
    threadIdx.x = own;
  }

  // As barrier(); whether the value holds for a thread.
  bool any(bool value) {
    static bool slots[1024];
    slots[threadIdx.x] = value;
    barrier();
    bool result = false;
    for (unsigned t = 0; t < blockDim.x; ++t) result = result || slots[t];
    barrier();
    return result;
  }

  // As barrier(): shuffles too are met by the whole block.
  template <class T>
  T shuffle_down(T value, unsigned delta) {
    static T slots[1024];
    const unsigned own = threadIdx.x;
    slots[own] = value;
    barrier();
    const T other = own % 32 + delta < 32 ? slots[own + delta] : value;
    barrier();
    return other;
  }

 private:
  static constexpr size_t kStackBytes = 32 * 1024;
  struct Fiber {
    std::vector<void*> stack;
    void* stack_pointer = nullptr;
  };

  static void enter() {
    HostBlock& block = current();
    block.body_(block.arguments_);
    host_switch(&block.fibers_[threadIdx.x].stack_pointer, block.scheduler_);
  }

  void start(unsigned t) {
    Fiber& fiber = fibers_[t];
    fiber.stack.resize(kStackBytes / sizeof(void*));
    void** top = fiber.stack.data() + fiber.stack.size();
    if (reinterpret_cast<unsigned long long>(top) % 16 != 0) --top;
    // Six registers, where to go on, and a place for a return address, so that the stack is aligned
    // as after a call.
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&enter);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    fiber.stack_pointer = top;
    resume(t);
  }
  void resume(unsigned t) {
    waiting_[t] = false;
    threadIdx.x = t;
    host_switch(&scheduler_, fibers_[t].stack_pointer);
  }

  Body body_ = nullptr;
  const void* arguments_ = nullptr;
  bool has_barriers_ = true;
  bool uniform_ = true;
  std::vector<Fiber> fibers_;
  std::vector<bool> waiting_;
  void* scheduler_ = nullptr;
};

inline void __syncthreads() {
  HostBlock::current().barrier();
}
inline int __syncthreads_or(int value) {
  return HostBlock::current().any(value != 0) ? 1 : 0;
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta) {
  return HostBlock::current().shuffle_down(value, delta);
}

// All blocks, one after the other. False as of HostBlock::run, or where a block wrote behind its
// shared memory.
template <class Operands>
bool host_launch(void (*kernel)(Operands), const void* operands, unsigned blocks, unsigned threads,
                 unsigned long shared_bytes) {
  static void (*running)(Operands);
  static unsigned launches = 0;
  running = kernel;
  ++launches;
  blockDim.x = threads;
  bool uniform = true;
  for (unsigned block = 0; block < blocks; ++block) {
    blockIdx.x = block;
    memset(host_dynamic_shared, 0xFF, shared_bytes + 64);
    const auto body = [](const void* arguments) {
      running(*static_cast<const Operands*>(arguments));
    };
    uniform = HostBlock::current().run(body, operands, threads, (block + launches) % 2) && uniform;
    // Nothing is written behind what was asked for.
    for (unsigned i = 0; i < 64; ++i) {
      uniform = uniform && host_dynamic_shared[shared_bytes + i] == static_cast<char>(0xFF);
    }
  }
  return uniform;
}
