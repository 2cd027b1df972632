#include "outerloop/nn/values.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::nn {

void Values::set(std::string_view name, Expr value) {
  if (!value.valid()) return;
  for (auto& [own_name, own_value] : items_) {
    if (own_name == name) {
      own_value = value;
      return;
    }
  }
  items_.emplace_back(name, value);
}

Expr Values::find(std::string_view name) const {
  for (const auto& [own_name, value] : items_) {
    if (own_name == name) return value;
  }
  return {};
}

Expr Values::at(std::string_view name) const {
  const Expr value = find(name);
  OL_ASSERT(value.valid(), fmt::format("no value is called '{}'", name));
  return value;
}

std::vector<std::string> Values::names() const {
  std::vector<std::string> result;
  for (const auto& item : items_) result.push_back(item.first);
  return result;
}

std::vector<Expr> Values::exprs() const {
  std::vector<Expr> result;
  for (const auto& item : items_) result.push_back(item.second);
  return result;
}

}  // namespace outerloop::nn
