#pragma once
// What importance for a run may find, in words for people.

#include <span>
#include <string_view>

namespace outerloop::interp {

struct FindingKind {
  std::string_view name;  // of an Estimand, or derived from several
  std::string_view heading, question;
  std::string_view meaning;  // what is compared
};

// The estimands, then what is derived from them.
std::span<const FindingKind> finding_kinds();
// Of a name that is there.
const FindingKind& finding_kind(std::string_view name);

}  // namespace outerloop::interp
