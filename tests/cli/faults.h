#pragma once
// What a user does wrong, and what the program says: tables for bad_input_test.cpp.

#include <ostream>
#include <string>
#include <vector>

#include "cli/program.h"

namespace outerloop::cli {

struct Fault {
  std::string name;
  std::string words;     // {d} stands for the folder of the test, {c} for the config below
  int code = kBadInput;  // expected
  std::vector<std::string> lines;  // one part of each expected line of standard error
  std::string config;              // text of {c}
};
inline void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.name;
}

std::vector<Fault> importance_faults();
std::vector<Fault> journal_faults();
std::vector<Fault> prediction_faults();
std::vector<Fault> stored_run_faults();

}  // namespace outerloop::cli
