#include <unordered_map>

#include "outerloop/passes/pass.h"
#include "passes/rewrite.h"

namespace outerloop::passes {
namespace {

size_t mix(size_t seed, size_t value) {
  return (seed ^ value) * 0x9E3779B97F4A7C15ull + (seed >> 7);
}

size_t hash_of(const OpDef& op, const std::vector<Expr>& inputs, const Attributes& attributes) {
  size_t hash = reinterpret_cast<size_t>(&op);
  for (const Expr& input : inputs) hash = mix(hash, static_cast<size_t>(input.id().index));
  for (const auto& [name, value] : attributes.items()) {
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      hash = mix(hash, static_cast<size_t>(*integer));
    } else if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) {
      for (int64_t item : *list) hash = mix(hash, static_cast<size_t>(item));
    } else if (const auto* real = std::get_if<double>(&value)) {
      hash = mix(hash, std::hash<double>{}(*real));
    }
  }
  return hash;
}

bool same(const Program& program, const Equation& equation, const OpDef& op,
          const std::vector<Expr>& inputs, const Attributes& attributes, const TensorType& type) {
  if (equation.op != &op || equation.inputs.size() != inputs.size()) return false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (equation.inputs[i] != inputs[i].id()) return false;
  }
  return program.type(equation.outputs.front()) == type && equation.attributes == attributes;
}

}  // namespace

Program share_common_expressions(const Program& program) {
  Rewriter rewriter(program);
  std::unordered_multimap<size_t, size_t> seen;  // hash -> equation of the new program
  for (const Equation& equation : program.equations) {
    const std::vector<Expr> inputs = rewriter[equation.inputs];
    const size_t hash = hash_of(*equation.op, inputs, equation.attributes);
    const Program& written = rewriter.builder().program();
    const Equation* twin = nullptr;
    for (auto [place, end] = seen.equal_range(hash); place != end && twin == nullptr; ++place) {
      const Equation& candidate = written.equations[place->second];
      if (same(written, candidate, *equation.op, inputs, equation.attributes,
               program.type(equation.outputs.front()))) {
        twin = &candidate;
      }
    }
    if (twin == nullptr) {
      seen.emplace(hash, written.equations.size());
      rewriter.copy(equation);
      continue;
    }
    for (size_t i = 0; i < equation.outputs.size(); ++i) {
      rewriter.replace(equation.outputs[i], rewriter.builder().expr(twin->outputs[i]));
    }
  }
  return rewriter.finish();
}

}  // namespace outerloop::passes
