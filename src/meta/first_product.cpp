#include "meta/first_product.h"

#include <algorithm>

#include "meta/prune.h"
#include "outerloop/ops/records.h"

namespace outerloop::meta {
namespace {

// The only equation that reads a value, and reads it once; null where there is none.
const Equation* only_reader(const Program& program, ValueId value) {
  const auto is_value = [&](const ProgramOutput& output) { return output.value == value; };
  if (std::ranges::any_of(program.outputs, is_value)) return nullptr;
  const Equation* reader = nullptr;
  for (const Equation& equation : program.equations) {
    const auto times = std::ranges::count(equation.inputs, value);
    if (times == 0) continue;
    if (times > 1 || reader != nullptr) return nullptr;
    reader = &equation;
  }
  return reader;
}

bool is_product_of_rows(const Equation& equation, ValueId rows) {
  return equation.op == &ops::matmul && equation.inputs[0] == rows &&
         equation.attributes.integer("transpose_a") == 0 &&
         equation.attributes.integer("transpose_b") == 0;
}

const Equation* first_product(const Program& program, std::string_view rows) {
  const int input = program.input_index(rows);
  if (input < 0) return nullptr;
  ValueId value = program.inputs[static_cast<size_t>(input)].value;
  const int64_t count = program.type(value).shape[0];
  const Equation* reader = only_reader(program, value);
  if (reader != nullptr && reader->op == &ops::reshape) {
    value = reader->outputs[0];
    reader = only_reader(program, value);
  }
  const Shape& flat = program.type(value).shape;
  if (reader == nullptr || flat.rank() != 2 || flat[0] != count) return nullptr;
  return is_product_of_rows(*reader, value) ? reader : nullptr;
}

}  // namespace

std::optional<CutProgram> cut_at_first_product(const Program& program, std::string_view rows) {
  const Equation* product = first_product(program, rows);
  if (product == nullptr) return {};
  Program before = program;
  before.outputs = {{product->outputs[0], "product"}, {product->inputs[1], "product_weight"}};
  Program after = program;
  after.equations.erase(after.equations.begin() + (product - program.equations.data()));
  after.inputs.push_back({product->outputs[0], Binding::per_lane, "query_product"});
  CutProgram cut{without_unused(before), without_unused(after)};
  verify(cut.product);
  verify(cut.rest);
  return cut;
}

}  // namespace outerloop::meta
