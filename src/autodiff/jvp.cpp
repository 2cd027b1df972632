#include <fmt/format.h>

#include "autodiff/reach.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/base/error.h"

namespace outerloop {
namespace {

class Tangents {
 public:
  void set(ValueId id, Expr tangent) {
    const auto index = static_cast<size_t>(id.index);
    if (index >= tangents_.size()) tangents_.resize(index + 1);
    tangents_[index] = tangent;
  }
  Expr of(ValueId id) const {
    const auto index = static_cast<size_t>(id.index);
    return index < tangents_.size() ? tangents_[index] : Expr{};
  }

 private:
  std::vector<Expr> tangents_;
};

// One tangent per output of the equation.
std::vector<Expr> push_forward(Builder& builder, const Equation& equation,
                               const Tangents& tangents) {
  std::vector<Expr> inputs, given;
  for (ValueId input : equation.inputs) {
    inputs.push_back(builder.expr(input));
    given.push_back(tangents.of(input));
  }
  if (equation.op->group == OpGroup::fused) {
    std::vector<Expr> moved, by;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!is_floating(inputs[i].type().dtype)) continue;
      moved.push_back(inputs[i]);
      by.push_back(given[i]);  // that of zero too: its input may come of another one
    }
    const auto outputs = builder.inline_program(*equation.attributes.program("body"), inputs);
    return jvp(builder, outputs, moved, by);
  }
  return {equation.op->jvp({.equation = equation,
                            .inputs = inputs,
                            .tangents = given,
                            .output = builder.expr(equation.outputs[0])})};
}

}  // namespace

std::vector<Expr> jvp(Builder& builder, std::span<const Expr> outputs, std::span<const Expr> inputs,
                      std::span<const Expr> tangents) {
  OL_ASSERT(inputs.size() == tangents.size(),
            fmt::format("{} tangents for {} inputs", tangents.size(), inputs.size()));
  const autodiff::Reach reach = autodiff::reach(builder.program(), inputs, outputs);
  Tangents known;
  for (size_t i = 0; i < inputs.size(); ++i) {
    OL_ASSERT(!tangents[i].valid() || tangents[i].type() == inputs[i].type(),
              fmt::format("tangent {} has another type than its input", i));
    known.set(inputs[i].id(), tangents[i]);
  }
  for (size_t e : reach.equations) {
    // A copy: the program grows below.
    const Equation equation = builder.program().equations[e];
    bool moved = false;
    for (ValueId input : equation.inputs) moved |= known.of(input).valid();
    if (!moved) continue;
    const std::vector<Expr> found = push_forward(builder, equation, known);
    for (size_t k = 0; k < found.size(); ++k) known.set(equation.outputs[k], found[k]);
  }
  std::vector<Expr> result;
  for (const Expr& output : outputs) {
    result.push_back(output.valid() ? known.of(output.id()) : Expr{});
  }
  return result;
}

}  // namespace outerloop
