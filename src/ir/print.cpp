#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>

#include "outerloop/ir/op_def.h"
#include "outerloop/ir/program.h"

namespace outerloop {
namespace {

std::string indented(const std::string& text) {
  std::string result;
  for (size_t start = 0; start < text.size();) {
    const size_t end = text.find('\n', start);
    result += "    " + text.substr(start, end - start) + "\n";
    start = end + 1;
  }
  return result;
}

std::string text_of(const AttributeValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.17g}", *real);
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) {
    return fmt::format("[{}]", fmt::join(*list, ", "));
  }
  return "{\n" + indented(print(*std::get<std::shared_ptr<const Program>>(value))) + "  }";
}

std::string text_of(const Program& program, const std::vector<ValueId>& values, bool typed) {
  std::string result;
  for (ValueId value : values) {
    if (!result.empty()) result += ", ";
    result += fmt::format("%{}", value.index);
    if (typed) result += ":" + to_string(program.type(value));
  }
  return result;
}

}  // namespace

std::string print(const Program& program) {
  std::string text;
  for (const ProgramInput& input : program.inputs) {
    text +=
        fmt::format("in  %{}:{} {} {}\n", input.value.index, to_string(program.type(input.value)),
                    input.binding == Binding::shared ? "shared" : "per_lane", input.name);
  }
  for (const Equation& equation : program.equations) {
    text += fmt::format("  {} = {}({}", text_of(program, equation.outputs, true), equation.op->name,
                        text_of(program, equation.inputs, false));
    const char* separator = "; ";
    for (const auto& [name, value] : equation.attributes.items()) {
      text += fmt::format("{}{}={}", separator, name, text_of(value));
      separator = ", ";
    }
    text += ")\n";
  }
  for (const ProgramOutput& output : program.outputs) {
    text += fmt::format("out %{} {}\n", output.value.index, output.name);
  }
  return text;
}

}  // namespace outerloop
