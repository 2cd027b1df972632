#pragma once
// Compiled programs against the oracle.

#include <string>
#include <vector>

#include "outerloop/exec/executable.h"

namespace outerloop::testing_support {

// Equal in every bit, but for NaN: which NaN comes out of an operation on NaNs is not defined.
void expect_same_bits(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual,
                      const std::string& what);

// On every instruction set of the machine, with all passes, with the required ones
// alone, and with fusion as the only optional one.
void check_against_oracle(const Program& program, const std::vector<Tensor>& inputs,
                          const std::string& what);

}  // namespace outerloop::testing_support
