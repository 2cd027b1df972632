#include "outerloop/ir/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

bool same(const AttributeValue& a, const AttributeValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* real = std::get_if<double>(&a)) {
    return std::bit_cast<uint64_t>(*real) == std::bit_cast<uint64_t>(std::get<double>(b));
  }
  return a == b;
}

template <class T>
const T& get(const Attributes& attributes, std::string_view name) {
  const AttributeValue* value = attributes.find(name);
  OL_ASSERT(value != nullptr && std::holds_alternative<T>(*value),
            fmt::format("attribute '{}' is missing or of another type", name));
  return std::get<T>(*value);
}

template <class Items>
int index_of(const Items& items, std::string_view name) {
  const auto found = std::ranges::find(items, name, [](const auto& item) { return item.name; });
  return found == items.end() ? -1 : static_cast<int>(found - items.begin());
}

}  // namespace

std::string to_string(const TensorType& type) {
  return fmt::format("{}{}", name_of(type.dtype), to_string(type.shape));
}

Attributes::Attributes(std::initializer_list<std::pair<std::string, AttributeValue>> items) {
  for (const auto& [name, value] : items) set(name, value);
}

void Attributes::set(std::string name, AttributeValue value) {
  const auto place = std::ranges::lower_bound(
      items_, name, {}, [](const auto& item) -> const std::string& { return item.first; });
  if (place != items_.end() && place->first == name) {
    place->second = std::move(value);
  } else {
    items_.emplace(place, std::move(name), std::move(value));
  }
}

const AttributeValue* Attributes::find(std::string_view name) const {
  const auto found = std::ranges::find(
      items_, name, [](const auto& item) { return std::string_view(item.first); });
  return found == items_.end() ? nullptr : &found->second;
}

int64_t Attributes::integer(std::string_view name) const {
  return get<int64_t>(*this, name);
}
double Attributes::real(std::string_view name) const {
  return get<double>(*this, name);
}
const std::vector<int64_t>& Attributes::integers(std::string_view name) const {
  return get<std::vector<int64_t>>(*this, name);
}
const std::shared_ptr<const Program>& Attributes::program(std::string_view name) const {
  return get<std::shared_ptr<const Program>>(*this, name);
}

bool Attributes::operator==(const Attributes& other) const {
  return std::ranges::equal(items_, other.items_, [](const auto& a, const auto& b) {
    return a.first == b.first && same(a.second, b.second);
  });
}

ValueId Program::add_value(TensorType type) {
  values.push_back(type);
  return {static_cast<int32_t>(values.size()) - 1};
}

int Program::input_index(std::string_view name) const {
  return index_of(inputs, name);
}
int Program::output_index(std::string_view name) const {
  return index_of(outputs, name);
}

std::vector<int32_t> producers(const Program& program) {
  std::vector<int32_t> result(program.values.size(), -1);
  for (size_t e = 0; e < program.equations.size(); ++e) {
    for (ValueId output : program.equations[e].outputs) {
      result[static_cast<size_t>(output.index)] = static_cast<int32_t>(e);
    }
  }
  return result;
}

}  // namespace outerloop
