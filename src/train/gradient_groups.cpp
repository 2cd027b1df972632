#include "train/gradient_groups.h"

#include <algorithm>
#include <compare>

namespace outerloop::train {
namespace {

// When an output is final: by the program, which all ranks have, and by this processor's kernels.
struct Final {
  size_t call = 0;
  int32_t equation = -1;
  size_t steps = 0;
};

std::strong_ordering by_program(const Final& a, const Final& b) {
  const auto calls = a.call <=> b.call;
  return calls != 0 ? calls : a.equation <=> b.equation;
}

void to_later_steps(Milestone& when, const Final& final) {
  if (final.call > when.call) when = {final.call, final.steps};
  if (final.call == when.call) when.steps = std::max(when.steps, final.steps);
}

// By the output's name: what the last call that writes it says.
std::map<std::string, Final> finals_of(const CompiledGradientPlan& plan) {
  std::map<std::string, Final> finals;
  for (size_t c = 0; c < plan.calls.size(); ++c) {
    const exec::Executable& executable = plan.calls[c].executable();
    const Program& program = executable.optimised();
    const std::vector<int32_t> producer = producers(program);
    const std::vector<size_t> steps = executable.steps_to_outputs();
    for (size_t o = 0; o < program.outputs.size(); ++o) {
      const auto value = static_cast<size_t>(program.outputs[o].value.index);
      finals[program.outputs[o].name] = {c, producer[value], steps[o]};
    }
  }
  return finals;
}

}  // namespace

std::vector<comm::Range> parameter_groups(const optim::ThetaLayout& layout) {
  const int64_t least = std::max(kLeastGroup, layout.elements / kMostGroups);
  std::vector<comm::Range> groups;
  int64_t first = 0;
  for (size_t e = 1; e < layout.entries.size(); ++e) {
    const int64_t border = layout.entries[e].offset;
    if (border - first < least || layout.elements - border < least) continue;
    groups.push_back({first, border});
    first = border;
  }
  groups.push_back({first, layout.elements});
  return groups;
}

std::vector<FinalGroup> order_of_groups(const CompiledGradientPlan& plan,
                                        const optim::ThetaLayout& layout,
                                        std::span<const comm::Range> groups) {
  const std::map<std::string, Final> finals = finals_of(plan);
  std::vector<Final> last(groups.size());  // by the program
  std::vector<FinalGroup> order;
  for (size_t g = 0; g < groups.size(); ++g) {
    order.push_back({.group = g, .elements = groups[g]});
    for (const optim::ThetaEntry& entry : layout.entries) {
      const auto found = finals.find("grad/" + entry.name);
      if (entry.offset < groups[g].first || entry.offset >= groups[g].end) continue;
      if (found == finals.end()) continue;
      if (by_program(found->second, last[g]) > 0) last[g] = found->second;
      to_later_steps(order.back().when, found->second);
    }
  }
  std::ranges::stable_sort(order, [&](const FinalGroup& a, const FinalGroup& b) {
    return by_program(last[a.group], last[b.group]) < 0;
  });
  Milestone latest;
  to_later_steps(latest, finals.at("loss"));
  for (FinalGroup& group : order) {
    to_later_steps(latest, {group.when.call, -1, group.when.steps});
    group.when = latest;
  }
  return order;
}

}  // namespace outerloop::train
