#pragma once
// Counts every operator new of the program. Include it in one source of a test program.

#include <cstdlib>
#include <new>

namespace outerloop::testing_support {

inline long allocations = 0;

}  // namespace outerloop::testing_support

void* operator new(std::size_t bytes) {
  ++outerloop::testing_support::allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
