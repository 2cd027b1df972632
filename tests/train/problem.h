#pragma once
// A shipped config and words beside it, as a parameter of tests.

#include <ostream>
#include <string>

#include "support/words.h"

namespace outerloop::train {

struct Problem {
  std::string name;
  std::string config;
  Words words;
};

inline void PrintTo(const Problem& problem, std::ostream* out) {
  *out << problem.name;
}

}  // namespace outerloop::train
