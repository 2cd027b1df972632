#pragma once
// Transposes a square block of elements that is held in vector registers, one row in each.

#include <vector>

#include "exec/cpu/jit.h"

namespace outerloop::exec {

// `rows[r]` is the register of row r, `spare` one more that may be overwritten. Returns the
// registers of the columns and leaves in `spare` the one that is free then.
std::vector<int> transpose_block(Assembler& assembler, std::vector<int> rows, int& spare);

}  // namespace outerloop::exec
