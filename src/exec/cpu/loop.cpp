#include "exec/cpu/loop.h"

namespace outerloop::exec {

Kernel make_loop(const LoopSpec& spec, Isa isa) {
  if (isa != Isa::scalar) {
    if (Kernel kernel = make_generated_loop(make_nest(spec), isa)) return kernel;
  }
  return make_oracle_loop(spec);
}

}  // namespace outerloop::exec
