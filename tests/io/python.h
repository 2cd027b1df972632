#pragma once
// Other programs' readers as judges of our files. OUTERLOOP_PYTHON names the interpreter, else
// python3.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace outerloop {

// The interpreter, or an empty string when it cannot import the module.
inline std::string python_with(const std::string& module) {
  const char* chosen = std::getenv("OUTERLOOP_PYTHON");
  const std::string python = chosen != nullptr ? chosen : OUTERLOOP_BUILD_PYTHON;
  const std::string probe = "'" + python + "' -c 'import " + module + "' >/dev/null 2>&1";
  return std::system(probe.c_str()) == 0 ? python : "";
}

inline std::string python_hint(const std::string& module) {
  return "no Python with '" + module + "'; to run this test: python3 -m venv build/python && " +
         "build/python/bin/pip install " + module + ", then set " +
         "OUTERLOOP_PYTHON=$PWD/build/python/bin/python";
}

// What the script prints; it finds `argument` in sys.argv[1].
inline std::string run_python(const std::string& python, const std::string& script,
                              const std::filesystem::path& argument) {
  const std::filesystem::path file = argument.string() + ".script.py";
  std::ofstream(file) << script;
  const std::string command = "'" + python + "' '" + file.string() + "' '" + argument.string() +
                              "' 2>'" + file.string() + ".log'";
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "cannot start " + python;
  std::array<char, 4096> piece;
  while (const size_t count = std::fread(piece.data(), 1, piece.size(), pipe))
    output.append(piece.data(), count);
  if (::pclose(pipe) != 0) {
    std::ifstream log(file.string() + ".log");
    output.append(std::istreambuf_iterator<char>(log), {});
  }
  std::filesystem::remove(file);
  std::filesystem::remove(file.string() + ".log");
  return output;
}

}  // namespace outerloop

// Skips a test that found no `python` with these packages; where OUTERLOOP_REQUIRE_READERS is set,
// as in CI, the test fails instead.
#define OL_SKIP_WITHOUT(python, packages)                           \
  if (!(python).empty()) {                                          \
  } else if (std::getenv("OUTERLOOP_REQUIRE_READERS") != nullptr) { \
    FAIL() << python_hint(packages);                                \
  } else                                                            \
    GTEST_SKIP() << python_hint(packages)
