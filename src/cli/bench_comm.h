#pragma once

#include <CLI/CLI.hpp>

#include "cli/program.h"

namespace outerloop::cli {

// outerloop bench comm
void add_bench_comm(CLI::App& bench, Program& program);

}  // namespace outerloop::cli
