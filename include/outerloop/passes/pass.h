#pragma once
// Passes turn a program into an equivalent one. One file per pass; each is named, can be switched
// off by name unless the executor requires it, is timed, and its result is verified.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/ir/program.h"

namespace outerloop::passes {

struct Pass {
  std::string_view name;
  bool required = false;  // the executor relies on it
  Program (*run)(const Program&) = nullptr;
};

// In the order in which they run; a pass may appear more than once.
std::span<const Pass> pipeline();

struct Timing {
  std::string_view name;
  double seconds = 0;
  size_t equations = 0;  // after the pass
};

struct Options {
  std::vector<std::string> disabled;  // names; unknown ones and required ones throw BadInput
  std::function<void(const Pass&, const Program&)> after_each;  // may be empty
};

// Verifies the program after each pass.
Program optimise(const Program& program, const Options& options = {},
                 std::vector<Timing>* timings = nullptr);

// The passes. All keep inputs, outputs and their order; the results keep the same bits except
// where a pass says otherwise.
Program remove_dead_code(const Program& program);
Program simplify(const Program& program);  // peephole rules, constants folded
Program share_common_expressions(const Program& program);
Program lower_transposes(const Program& program);    // what kernels cannot read in place
Program fuse_elementwise(const Program& program);    // chains, their reductions and epilogues
Program move_outputs_early(const Program& program);  // outputs that nothing else reads

}  // namespace outerloop::passes
