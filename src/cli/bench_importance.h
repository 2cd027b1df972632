#pragma once

#include <CLI/CLI.hpp>

#include "cli/program.h"

namespace outerloop::cli {

// outerloop bench importance
void add_bench_importance(CLI::App& bench, Program& program);

}  // namespace outerloop::cli
