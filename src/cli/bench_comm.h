#pragma once

#include "cli/program.h"

namespace outerloop::cli {

// outerloop bench comm
void add_bench_comm(Command bench, Program& program);

}  // namespace outerloop::cli
