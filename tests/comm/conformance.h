#pragma once
// What every Communicator must do, as a table of cases that run on all ranks of any backend.

#include <span>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

struct ConformanceCase {
  const char* name;
  void (*run)(Communicator& ranks);  // leaves the ranks in step, also when an expectation fails
};

std::span<const ConformanceCase> verb_cases();
std::span<const ConformanceCase> agreement_cases();
std::span<const ConformanceCase> reduction_cases();

// Makes a readable test name of a parameterised test over cases.
inline void PrintTo(const ConformanceCase& c, std::ostream* out) {
  *out << c.name;
}

}  // namespace outerloop::comm
