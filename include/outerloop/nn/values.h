#pragma once
// Values of a program by name, in a fixed order: parameters, adapted weights, optimiser states.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "outerloop/ir/builder.h"

namespace outerloop::nn {

// Symbolic zeros are left out: a name that is not there has the value zero.
class Values {
 public:
  // Replaces a value of that name in its place, or appends. An invalid value is not stored.
  void set(std::string_view name, Expr value);
  // An invalid Expr when there is none of that name.
  Expr find(std::string_view name) const;
  // Throws InternalError when there is none of that name.
  Expr at(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name).valid(); }

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

  std::vector<std::string> names() const;
  std::vector<Expr> exprs() const;

 private:
  std::vector<std::pair<std::string, Expr>> items_;
};

}  // namespace outerloop::nn
