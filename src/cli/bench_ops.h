#pragma once

#include "cli/program.h"

namespace outerloop::cli {

// Adds `ops` below `bench`.
void add_bench_ops(Command bench, Program& program);

}  // namespace outerloop::cli
