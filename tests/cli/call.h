#pragma once
// Calls the program inside the test.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "cli/program.h"

namespace outerloop::cli {

struct Result {
  int code = 0;
  std::string out;
  std::string error;
};

inline Result call(std::vector<std::string> words) {
  std::vector<const char*> argv{"outerloop"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Result result;
  result.code = run_program(static_cast<int>(argv.size()), argv.data());
  result.out = testing::internal::GetCapturedStdout();
  result.error = testing::internal::GetCapturedStderr();
  return result;
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace outerloop::cli
