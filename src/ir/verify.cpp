#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/ir/op_def.h"
#include "outerloop/ir/program.h"

namespace outerloop {
namespace {

class Verifier {
 public:
  explicit Verifier(const Program& program)
      : program_(program), defined_(program.values.size(), false) {}

  void run() {
    for (const ProgramInput& input : program_.inputs) define(input.value, "the inputs");
    for (size_t e = 0; e < program_.equations.size(); ++e) check(program_.equations[e], e);
    for (const ProgramOutput& output : program_.outputs) {
      use(output.value, fmt::format("output '{}'", output.name));
    }
  }

 private:
  void define(ValueId id, const std::string& where) {
    OL_ASSERT(id.valid() && static_cast<size_t>(id.index) < defined_.size(),
              fmt::format("{} writes %{}, which has no type", where, id.index));
    OL_ASSERT(!defined_[static_cast<size_t>(id.index)],
              fmt::format("{} writes %{} a second time", where, id.index));
    defined_[static_cast<size_t>(id.index)] = true;
  }

  void use(ValueId id, const std::string& where) {
    OL_ASSERT(id.valid() && static_cast<size_t>(id.index) < defined_.size() &&
                  defined_[static_cast<size_t>(id.index)],
              fmt::format("{} reads %{} before it is written", where, id.index));
  }

  void check(const Equation& equation, size_t number) {
    OL_ASSERT(equation.op != nullptr, fmt::format("equation {} has no op", number));
    const std::string where = fmt::format("equation {} ({})", number, equation.op->name);
    std::vector<TensorType> types;
    for (ValueId input : equation.inputs) {
      use(input, where);
      types.push_back(program_.type(input));
    }
    OL_ASSERT(
        equation.op->arity < 0 || static_cast<size_t>(equation.op->arity) == equation.inputs.size(),
        fmt::format("{} has {} inputs", where, equation.inputs.size()));
    const std::vector<TensorType> expected = infer(equation, types, where);
    OL_ASSERT(expected.size() == equation.outputs.size(),
              fmt::format("{} has {} outputs, its record says {}", where, equation.outputs.size(),
                          expected.size()));
    for (size_t i = 0; i < expected.size(); ++i) {
      define(equation.outputs[i], where);
      const TensorType& stated = program_.type(equation.outputs[i]);
      OL_ASSERT(stated == expected[i], fmt::format("{} gives {}, the program states {}", where,
                                                   to_string(expected[i]), to_string(stated)));
    }
  }

  // A wrong type here is a wrong pass, not the user's fault.
  static std::vector<TensorType> infer(const Equation& equation, TypeSpan types,
                                       const std::string& where) {
    try {
      return equation.op->infer(types, equation.attributes);
    } catch (const BadInput& error) {
      throw_internal_error("types fit the record", __FILE__, __LINE__,
                           fmt::format("{}: {}", where, error.what()));
    }
  }

  const Program& program_;
  std::vector<bool> defined_;
};

}  // namespace

void verify(const Program& program) {
  Verifier(program).run();
}

}  // namespace outerloop
