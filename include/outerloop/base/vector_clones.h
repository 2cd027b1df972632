#pragma once
// Loops that the compiler vectorises once for each kind of machine; which one runs is chosen when
// the program is loaded. For elementwise loops alone, whose results do not depend on the width.

#if defined(__SANITIZE_THREAD__)  // the sanitizer is not up yet when the program is loaded
#define OUTERLOOP_VECTOR_CLONES
#else
#define OUTERLOOP_VECTOR_CLONES \
  __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#endif
