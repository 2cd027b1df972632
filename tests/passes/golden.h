#pragma once
// Printed programs compared with stored ones.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace outerloop::testing_support {

// Compares with tests/passes/golden/<name>. OUTERLOOP_UPDATE_GOLDEN=1 writes the file instead; read
// the difference before committing it.
inline void expect_golden(const std::string& name, const std::string& text) {
  const std::string file = fmt::format("{}/tests/passes/golden/{}", OUTERLOOP_SOURCE_DIR, name);
  if (std::getenv("OUTERLOOP_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file) << text;
    return;
  }
  std::ifstream stream(file);
  std::stringstream stored;
  stored << stream.rdbuf();
  EXPECT_EQ(stored.str(), text) << "the program differs from " << file;
}

}  // namespace outerloop::testing_support
