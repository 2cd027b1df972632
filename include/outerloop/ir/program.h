#pragma once
// A tensor program: a flat list of typed equations, topological by construction, written for one
// task (one lane). Values are written once and named by integer ids; every walk is a loop.

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "outerloop/tensor/dtype.h"
#include "outerloop/tensor/shape.h"

namespace outerloop {

struct OpDef;
struct Program;

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
  size_t bytes() const { return static_cast<size_t>(shape.elements()) * size_of(dtype); }
};
std::string to_string(const TensorType& type);  // "f32(2, 3)"

struct ValueId {
  int32_t index = -1;
  bool valid() const { return index >= 0; }
  auto operator<=>(const ValueId&) const = default;
};

// Static parameters of an equation: few, small, sorted by name.
using AttributeValue =
    std::variant<int64_t, double, std::vector<int64_t>, std::shared_ptr<const Program>>;
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string, AttributeValue>> items);

  void set(std::string name, AttributeValue value);
  const AttributeValue* find(std::string_view name) const;
  // These throw InternalError when the attribute is missing or of another type.
  int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  const std::vector<int64_t>& integers(std::string_view name) const;
  const std::shared_ptr<const Program>& program(std::string_view name) const;
  Shape shape(std::string_view name) const { return Shape(integers(name)); }

  const auto& items() const { return items_; }
  // Reals compare by bits, programs by address.
  bool operator==(const Attributes& other) const;

 private:
  std::vector<std::pair<std::string, AttributeValue>> items_;
};

// outputs = op(inputs; attributes). Primitive ops have one output; fused ones may have several.
struct Equation {
  const OpDef* op = nullptr;
  Attributes attributes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
};

// Shared inputs are the same for all lanes (meta-parameters); the others differ per lane.
enum class Binding : uint8_t { shared, per_lane };

struct ProgramInput {
  ValueId value;
  Binding binding = Binding::per_lane;
  std::string name;
};

struct ProgramOutput {
  ValueId value;
  std::string name;
};

struct Program {
  std::vector<TensorType> values;  // by ValueId
  std::vector<ProgramInput> inputs;
  std::vector<Equation> equations;
  std::vector<ProgramOutput> outputs;

  const TensorType& type(ValueId id) const { return values[static_cast<size_t>(id.index)]; }
  ValueId add_value(TensorType type);
  // -1 when there is none of that name.
  int input_index(std::string_view name) const;
  int output_index(std::string_view name) const;
};

// Indexed by value: the equation that writes it, or -1 for inputs.
std::vector<int32_t> producers(const Program& program);

// Checks types against the records, single assignment, order of definition; run after each pass.
// Throws InternalError that names the equation.
void verify(const Program& program);

// One line an equation: "%5:f32(10, 40) = add(%3, %4)". Stable, so it can be compared with a
// stored text.
std::string print(const Program& program);

}  // namespace outerloop
