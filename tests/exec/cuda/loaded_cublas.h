#pragma once

#include <dlfcn.h>

#include "exec/cuda/fake_cublas.h"

namespace outerloop::exec::cuda {

// What the stand-in that the library loads was asked for, and what it is to do.
inline FakeCublas& fake() {
  static const auto find = reinterpret_cast<FakeCublas* (*)()>(
      dlsym(dlopen(OUTERLOOP_FAKE_CUBLAS, RTLD_NOW), "fake_cublas"));
  return *find();
}

}  // namespace outerloop::exec::cuda
