#include <algorithm>
#include <memory>

#include "outerloop/ops/records.h"
#include "outerloop/passes/pass.h"
#include "passes/fusion_groups.h"
#include "passes/rewrite.h"

namespace outerloop::passes {
namespace {

// Writes the groups of a program as `fused` equations.
class Fuser {
 public:
  explicit Fuser(const Program& program)
      : program_(program),
        producer_(producers(program)),
        uses_(program.values.size(), 0),
        inner_(program.values.size()),
        inside_(program.values.size(), 0),
        rewriter_(program) {
    for (const Equation& equation : program.equations) {
      for (ValueId input : equation.inputs) ++uses_[static_cast<size_t>(input.index)];
    }
    for (const ProgramOutput& output : program.outputs) {
      ++uses_[static_cast<size_t>(output.value.index)];
    }
  }

  Program run() {
    for (const Equation& equation : program_.equations) {
      if (is_constant(equation)) rewriter_.copy(equation);
    }
    for (const FusionGroup& group : find_fusion_groups(program_).groups) write(group);
    return rewriter_.finish();
  }

 private:
  void write(const FusionGroup& group) {
    const auto equation = [&](int32_t e) -> const Equation& {
      return program_.equations[static_cast<size_t>(e)];
    };
    if (group.members.size() == 1) return rewriter_.copy(equation(group.members.front()));

    Builder body;
    std::vector<Expr> arguments;
    const auto bind = [&](ValueId value) {
      Expr& bound = inner_[index(value)];
      if (bound.valid()) return bound;
      touched_.push_back(value);
      const int32_t made_by = producer_[index(value)];
      if (made_by >= 0 && is_constant(equation(made_by))) {
        return bound = body.apply(*equation(made_by).op, {}, equation(made_by).attributes);
      }
      bound = body.input("x" + std::to_string(arguments.size()), program_.type(value),
                         Binding::per_lane);
      arguments.push_back(rewriter_[value]);
      return bound;
    };
    for (int32_t member : group.members) {
      std::vector<Expr> inputs;
      for (ValueId input : equation(member).inputs) {
        inputs.push_back(bind(input));
        ++inside_[index(input)];
      }
      const ValueId result = equation(member).outputs.front();
      touched_.push_back(result);
      inner_[index(result)] = body.apply(*equation(member).op, inputs, equation(member).attributes);
    }
    std::vector<ValueId> results;
    for (int32_t member : group.members) {
      const ValueId value = equation(member).outputs.front();
      if (inside_[index(value)] == uses_[index(value)]) continue;
      body.output("y" + std::to_string(results.size()), inner_[index(value)]);
      results.push_back(value);
    }
    Attributes attributes{{"body", std::make_shared<const Program>(body.finish())}};
    const std::vector<Expr> outputs =
        rewriter_.builder().apply_multiple(ops::fused, arguments, std::move(attributes));
    for (size_t i = 0; i < results.size(); ++i) rewriter_.replace(results[i], outputs[i]);
    for (ValueId value : touched_) {
      inner_[index(value)] = {};
      inside_[index(value)] = 0;
    }
    touched_.clear();
  }

  static size_t index(ValueId value) { return static_cast<size_t>(value.index); }

  const Program& program_;
  std::vector<int32_t> producer_;
  std::vector<int32_t> uses_;
  // Of the group being written, by value; empty between groups.
  std::vector<Expr> inner_;      // in its body
  std::vector<int32_t> inside_;  // reads by its members
  std::vector<ValueId> touched_;
  Rewriter rewriter_;
};

}  // namespace

Program fuse_elementwise(const Program& program) {
  return Fuser(program).run();
}

}  // namespace outerloop::passes
