#include <array>

#include "exec/cpu/matmul_oracle.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {

Epilogue store_epilogue(DType dtype, int64_t batch_stride, int64_t row_stride) {
  ScalarBuilder builder(dtype, 1);
  const std::array outputs{builder.input(0)};
  return {.body = builder.finish(outputs), .outputs = {{batch_stride, row_stride, 1}}};
}

void check_epilogue(const Epilogue& epilogue) {
  OL_ASSERT(static_cast<size_t>(epilogue.body.input_count) == epilogue.inputs.size() + 1,
            "epilogue: the body reads the accumulator and every input");
  OL_ASSERT(epilogue.body.outputs.size() == epilogue.outputs.size(),
            "epilogue: the body has one result per output");
  for (const TileStrides& strides : epilogue.inputs) {
    OL_ASSERT(strides[2] == 0 || strides[2] == 1, "epilogue: column strides of inputs are 0 or 1");
  }
  for (const TileStrides& strides : epilogue.outputs) {
    OL_ASSERT(strides[2] == 1, "epilogue: column strides of outputs are 1");
  }
}

}  // namespace outerloop::exec
