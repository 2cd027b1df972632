#pragma once
// What a kernel gets: base addresses, and how far apart the lanes of each operand are.

#include "exec/cuda/device/arithmetic.h"

// Tells the compiler what it cannot see of an address that comes from memory: it is in the
// device's.
#ifndef OL_ASSUME_GLOBAL
#define OL_ASSUME_GLOBAL(address) __builtin_assume(__isGlobal(address))
#endif

namespace ol {

struct Operand {
  char* base;
  long long lane_stride;  // bytes; 0: all lanes have the same
};

template <int Count>
struct Operands {
  Operand at[Count];
};

template <int Count>
OL_DEVICE char* address(const Operands<Count>& operands, unsigned operand, unsigned lane) {
  char* const base = operands.at[operand].base;
  OL_ASSUME_GLOBAL(base);
  return base + static_cast<long long>(lane) * operands.at[operand].lane_stride;
}

// The operands of one lane.
template <int Count>
struct Pointers {
  char* at[Count];

  OL_DEVICE Pointers(const Operands<Count>& operands, unsigned lane) {
#pragma unroll
    for (int i = 0; i < Count; ++i) {
      at[i] = address(operands, i, lane);
    }
  }
  template <class... Addresses>
  OL_DEVICE explicit Pointers(char* first, Addresses... others) : at{first, others...} {}

  template <class T>
  OL_DEVICE T* get(int i) const {
    return reinterpret_cast<T*>(at[i]);
  }
};

}  // namespace ol
