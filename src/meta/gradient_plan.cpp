#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "meta/program_cache.h"
#include "meta/rule.h"
#include "meta/segment.h"
#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"

namespace outerloop::meta {

namespace {

// Compiling takes more than twice as long for twice the steps: MAML on the sinusoid with 400 takes
// some seconds, with 800 half a minute.
constexpr int64_t kMostStepsOfAProgram = 400;

struct Range {
  int64_t first;
  int64_t end;
};

std::vector<Range> ranges_of(const Learner& learner) {
  const int64_t length = learner.segment == 0 ? learner.steps : learner.segment;
  std::vector<Range> ranges;
  int64_t first = 0;
  do {
    ranges.push_back({first, std::min(first + length, learner.steps)});
    first += length;
  } while (first < learner.steps);
  return ranges;
}

// d theta from the cotangents of phi_0 = init(theta).
Values through_init(Segment& segment, const Values& cotangents) {
  const Values start = segment.learner().init(segment.theta());
  Values known;  // phi_0 is the parameter itself
  Values computed;
  for (const auto& [name, cotangent] : cotangents) {
    const Expr value = start.find(name);
    if (!value.valid()) continue;  // starts at zero, whatever theta is
    const Expr parameter = segment.theta().find(name);
    const bool is_parameter = parameter.valid() && parameter.id() == value.id();
    (is_parameter ? known : computed).set(name, cotangent);
  }
  if (!computed.empty()) {
    add_to(known, pull_back(segment.builder(), start, computed, segment.theta(), {}).theta);
  }
  return known;
}

// The reverse sweep over the segment's steps, down to the rule's boundary. Writes the outputs
// grad/… and, where the sweep goes on below the segment, cotangent/….
void sweep_back(Segment& segment, int64_t boundary, const Cotangents& cotangents,
                const Values& gradients_so_far) {
  Values gradients = gradients_so_far;
  Values state = cotangents.state;
  std::vector<std::string> changed;
  const auto add = [&](const Values& terms) {
    add_to(gradients, terms);
    for (const auto& name : terms.names()) changed.push_back(name);
  };
  add(cotangents.theta);
  for (int64_t k = segment.end() - 1; k >= std::max(segment.first(), boundary); --k) {
    const Cotangents pulled = pull_back(segment.builder(), segment.state(k + 1), state,
                                        segment.theta(), segment.state(k));
    state = pulled.state;
    add(pulled.theta);
  }
  if (boundary >= segment.first()) {
    add(through_init(segment, state));
  } else {
    segment.output("cotangent", state);
  }
  for (const auto& [name, value] : gradients) {
    const bool is_new = std::ranges::find(changed, name) != changed.end();
    if (is_new) segment.builder().output("grad/" + name, value);
  }
}

ValueTypes outputs_under(const Program& program, std::string_view prefix) {
  ValueTypes types;
  for (const ProgramOutput& output : program.outputs) {
    if (!output.name.starts_with(prefix)) continue;
    types.emplace_back(output.name.substr(prefix.size()), program.type(output.value));
  }
  return types;
}

class GradientPlanner {
 public:
  GradientPlanner(const Learner& learner, const TaskShape& shape, DType dtype)
      : learner_(learner), shape_(shape), dtype_(dtype), boundary_(boundary_of(learner)) {}

  GradientPlan make() {
    const std::vector<Range> ranges = ranges_of(learner_);
    const size_t before_last = ranges.size() - 1;
    GradientPlan plan;
    std::vector<ValueTypes> entries(1);  // the state that enters each segment
    for (size_t s = 0; s < before_last; ++s) {
      plan.forward.push_back(forward(ranges[s], entries[s]));
      entries.push_back(outputs_under(*plan.forward[s].program, "state/"));
    }
    plan.last = last(ranges.back(), entries.back());
    plan.backward.resize(before_last);
    for (size_t s = before_last; s-- > 0 && boundary_ < ranges[s + 1].first;) {
      plan.backward[s] = backward(ranges[s], entries[s]);
    }
    return plan;
  }

 private:
  std::unique_ptr<Segment> run(const Range& range, const ValueTypes& entry) const {
    const Mode mode{
        .training = true, .dropout = learner_.dropout_streams > 0, .detached = detaches(learner_)};
    auto segment =
        std::make_unique<Segment>(learner_, shape_, dtype_, mode, range.first, range.end);
    if (range.first == 0) {
      segment->enter_at_start();
    } else {
      segment->enter(entry);
    }
    segment->run_steps();
    return segment;
  }

  Call forward(const Range& range, const ValueTypes& entry) {
    const auto segment = run(range, entry);
    segment->output("state", segment->state(range.end));
    return cache_.share(segment->finish());
  }

  Call last(const Range& range, const ValueTypes& entry) {
    const auto segment = run(range, entry);
    if (segment->has_steps()) {
      segment->builder().output("support_loss", segment->last_result().support_loss);
    }
    sweep_back(*segment, boundary_, end_of_loop(*segment), {});
    return remember(segment->finish());
  }

  Call backward(const Range& range, const ValueTypes& entry) {
    const auto segment = run(range, entry);
    const Values gradients = segment->input("grad", gradients_);
    sweep_back(*segment, boundary_, {{}, segment->input("cotangent", cotangents_)}, gradients);
    return remember(segment->finish());
  }

  // What the call hands to the next one of the reverse sweep.
  Call remember(Call call) {
    cotangents_ = outputs_under(*call.program, "cotangent/");
    for (const auto& [name, type] : outputs_under(*call.program, "grad/")) {
      const auto same = [&name = name](const auto& item) { return item.first == name; };
      if (std::ranges::none_of(gradients_, same)) gradients_.emplace_back(name, type);
    }
    return cache_.share(std::move(call));
  }

  const Learner& learner_;
  const TaskShape& shape_;
  DType dtype_;
  int64_t boundary_;
  ProgramCache cache_;
  ValueTypes cotangents_;  // outputs of the newest call of the reverse sweep
  ValueTypes gradients_;   // written by any call so far
};

}  // namespace

GradientPlan make_gradient_plan(const Learner& learner, const TaskShape& shape, DType dtype) {
  check_task(learner, shape, learner.steps);
  if (learner.dropout_streams > kUniformStreams) {
    throw BadInput(fmt::format(
        "model.dropout takes {} masks for a task of {} inner steps, and there are {}: lower "
        "inner.steps or tasks.queries, or set model.dropout to 0",
        learner.dropout_streams, learner.steps, kUniformStreams));
  }
  const Range longest = ranges_of(learner).front();
  const int64_t unrolled = longest.end - longest.first;
  if (unrolled > kMostStepsOfAProgram) {
    throw BadInput(fmt::format(
        "{} inner steps are too many for one program: set inner.segment to {} or less, such as {}",
        unrolled, kMostStepsOfAProgram, std::ceil(std::sqrt(learner.steps))));
  }
  return GradientPlanner(learner, shape, dtype).make();
}

}  // namespace outerloop::meta
