#include <fmt/format.h>

#include <algorithm>

#include "autodiff/reach.h"
#include "outerloop/autodiff/autodiff.h"
#include "outerloop/base/error.h"
#include "outerloop/ops/ops.h"

namespace outerloop {
namespace {

// The sum of the cotangents of each value so far; added in the order in which they come.
class Cotangents {
 public:
  void add(ValueId id, Expr cotangent) {
    if (!cotangent.valid()) return;
    const auto index = static_cast<size_t>(id.index);
    if (index >= sums_.size()) sums_.resize(index + 1);
    Expr& sum = sums_[index];
    sum = sum.valid() ? sum + cotangent : cotangent;
  }
  Expr of(ValueId id) const {
    const auto index = static_cast<size_t>(id.index);
    return index < sums_.size() ? sums_[index] : Expr{};
  }

 private:
  std::vector<Expr> sums_;
};

std::vector<Expr> expressions(Builder& builder, const std::vector<ValueId>& ids) {
  std::vector<Expr> result;
  for (ValueId id : ids) result.push_back(builder.expr(id));
  return result;
}

// Differentiates the body. An input that comes twice gets its whole cotangent at the first place.
std::vector<Expr> pull_back_body(Builder& builder, const Equation& equation,
                                 std::span<const Expr> inputs, std::span<const Expr> given) {
  std::vector<Expr> floating;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto first = std::ranges::find(equation.inputs, inputs[i].id());
    const bool repeated = first != equation.inputs.begin() + static_cast<std::ptrdiff_t>(i);
    if (repeated || !is_floating(inputs[i].dtype())) continue;
    floating.push_back(inputs[i]);
    places.push_back(i);
  }
  const auto outputs = builder.inline_program(*equation.attributes.program("body"), inputs);
  const std::vector<Expr> found = vjp(builder, outputs, floating, given);
  std::vector<Expr> result(inputs.size());
  for (size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
  return result;
}

// One cotangent per input of the equation.
std::vector<Expr> pull_back(Builder& builder, const Equation& equation,
                            const Cotangents& cotangents, const autodiff::ValueSet& changed) {
  const std::vector<Expr> inputs = expressions(builder, equation.inputs);
  std::vector<Expr> given;
  for (ValueId output : equation.outputs) given.push_back(cotangents.of(output));
  if (equation.op->group == OpGroup::fused) {
    return pull_back_body(builder, equation, inputs, given);
  }
  std::vector<bool> needed;
  for (const Expr& input : inputs) needed.push_back(changed.contains(input.id()));
  return equation.op->vjp({.equation = equation,
                           .inputs = inputs,
                           .output = builder.expr(equation.outputs[0]),
                           .cotangent = given[0],
                           .needed = std::move(needed)});
}

}  // namespace

std::vector<Expr> vjp(Builder& builder, std::span<const Expr> outputs, std::span<const Expr> inputs,
                      std::span<const Expr> cotangents) {
  OL_ASSERT(outputs.size() == cotangents.size(),
            fmt::format("{} cotangents for {} outputs", cotangents.size(), outputs.size()));
  const autodiff::Reach reach = autodiff::reach(builder.program(), inputs, outputs);
  Cotangents sums;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].valid() || !cotangents[i].valid()) continue;
    OL_ASSERT(cotangents[i].type() == outputs[i].type(),
              fmt::format("cotangent {} has another type than its output", i));
    sums.add(outputs[i].id(), cotangents[i]);
  }
  for (size_t i = reach.equations.size(); i-- > 0;) {
    // A copy: the program grows below.
    const Equation equation = builder.program().equations[reach.equations[i]];
    bool reached = false;
    for (ValueId output : equation.outputs) reached |= sums.of(output).valid();
    if (!reached) continue;
    const std::vector<Expr> found = pull_back(builder, equation, sums, reach.changed);
    for (size_t k = 0; k < equation.inputs.size(); ++k) {
      if (reach.changed.contains(equation.inputs[k])) sums.add(equation.inputs[k], found[k]);
    }
  }
  std::vector<Expr> result;
  for (const Expr& input : inputs) result.push_back(sums.of(input.id()));
  return result;
}

std::vector<Expr> grad(Builder& builder, Expr scalar, std::span<const Expr> inputs) {
  OL_ASSERT(scalar.shape().rank() == 0,
            fmt::format("the gradient needs a scalar, got {}", to_string(scalar.type())));
  const Expr one = ones_like(scalar);
  return vjp(builder, {&scalar, 1}, inputs, {&one, 1});
}

Expr or_zeros(Expr x, Expr like) {
  return x.valid() ? x : zeros_like(like);
}

}  // namespace outerloop
