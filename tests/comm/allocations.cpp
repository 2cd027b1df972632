#include "support/counting_new.h"

// In a source of its own: inlined into others, GCC takes its free() for a mistake.
namespace outerloop::comm {

long allocations() {
  return testing_support::allocations;
}

}  // namespace outerloop::comm
