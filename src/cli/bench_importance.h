#pragma once

#include "cli/program.h"

namespace outerloop::cli {

// outerloop bench importance
void add_bench_importance(Command bench, Program& program);

}  // namespace outerloop::cli
