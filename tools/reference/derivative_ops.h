#pragma once
// The ops of derivatives files, by the names of their groups.

#include <string_view>
#include <vector>

#include "outerloop/ops/ops.h"
#include "reference/layout.h"

namespace outerloop::reference {

// One group of the file, as an op sees it.
struct DerivativeGroup {
  const Context& context;
  std::string path;       // "op/sum_axis0_lin"
  std::string_view kind;  // what follows the op's name: "axis0"
  std::vector<Expr> x;    // inputs/i
  Builder& builder;
  Shape out;                       // of the stored result
  std::vector<Tensor>& constants;  // tensors that the program takes as further inputs

  // const/<name>
  std::vector<double> reals(std::string_view name) const;
  std::vector<int64_t> integers(std::string_view name) const;
  Expr labels(std::string_view name) const;  // as an int32 input of the program
  Expr tensor(std::string_view name) const;  // as a floating input of the program
};

using DerivativeOp = Expr (*)(const DerivativeGroup& group);
struct FoundOp {
  DerivativeOp op = nullptr;
  std::string_view kind;
};
// The op whose name the group's name starts with. Throws BadInput when there is none.
FoundOp derivative_op(std::string_view group);

}  // namespace outerloop::reference
