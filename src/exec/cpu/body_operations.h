#pragma once
// Emits the instructions of one operation of a body.

#include "exec/cpu/body_registers.h"

namespace outerloop::exec {

// `position` names an instruction of the body that is neither an input, a constant nor a deferred
// comparison. Its operands are consumed; its value is defined.
void emit_operation(Assembler& assembler, const ScalarBody& body, const BodyLiveness& liveness,
                    int position, int compare_mask, BodyRegisters& registers);

}  // namespace outerloop::exec
