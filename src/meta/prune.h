#pragma once

#include "outerloop/ir/program.h"

namespace outerloop::meta {

// The program without equations and inputs that no output needs.
Program without_unused(const Program& program);

}  // namespace outerloop::meta
