#pragma once
// A variable of the environment for the time of a test.

#include <cstdlib>
#include <string>

namespace outerloop::testing_support {

// Set as long as the object lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace outerloop::testing_support
