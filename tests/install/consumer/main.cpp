// What another project would write: a small program of tensors, built with the installed library.
#include <cstdio>

#include "outerloop/ir/builder.h"
#include "outerloop/tensor/tensor.h"

int main() {
  using namespace outerloop;
  const Tensor half = Tensor::scalar(0.5).cast(DType::f32);

  Builder builder;
  const Expr x = builder.input("x", {half.dtype(), half.shape()}, Binding::shared);
  builder.output("x", x);
  const Program program = builder.finish();
  {
    const auto program = half.to_doubles();  // shadows: refused by outerloop's own flags
    if (program.at(0) != 0.5) return 1;
  }
  std::printf("%zu output\n", program.outputs.size());
  return program.outputs.size() == 1 ? 0 : 1;
}
