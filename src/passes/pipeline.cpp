#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "outerloop/base/error.h"
#include "outerloop/passes/pass.h"

namespace outerloop::passes {
namespace {

void check_names(const Options& options) {
  for (const std::string& name : options.disabled) {
    const auto passes = pipeline();
    const auto found = std::ranges::find(passes, name, &Pass::name);
    if (found == passes.end()) {
      std::vector<std::string_view> names;
      for (const Pass& pass : passes) {
        if (!pass.required && std::ranges::find(names, pass.name) == names.end()) {
          names.push_back(pass.name);
        }
      }
      throw BadInput(fmt::format("there is no pass '{}'; optional passes are: {}", name,
                                 fmt::join(names, ", ")));
    }
    if (found->required) {
      throw BadInput(fmt::format("pass '{}' is required and cannot be switched off", name));
    }
  }
}

}  // namespace

std::span<const Pass> pipeline() {
  static constexpr Pass kPipeline[] = {
      {"dead_code", false, remove_dead_code},
      {"simplify", false, simplify},
      {"common_expressions", false, share_common_expressions},
      {"simplify", false, simplify},
      {"lower_transposes", true, lower_transposes},
      {"common_expressions", false, share_common_expressions},
      {"dead_code", false, remove_dead_code},
      {"fuse_elementwise", false, fuse_elementwise},
      {"dead_code", false, remove_dead_code},
      {"outputs_early", false, move_outputs_early},
  };
  return kPipeline;
}

Program optimise(const Program& program, const Options& options, std::vector<Timing>* timings) {
  check_names(options);
  Program current = program;
  for (const Pass& pass : pipeline()) {
    if (std::ranges::find(options.disabled, pass.name) != options.disabled.end()) continue;
    const auto start = std::chrono::steady_clock::now();
    current = pass.run(current);
    verify(current);
    if (timings != nullptr) {
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      timings->push_back({pass.name, elapsed.count(), current.equations.size()});
    }
    if (options.after_each) options.after_each(pass, current);
  }
  return current;
}

}  // namespace outerloop::passes
