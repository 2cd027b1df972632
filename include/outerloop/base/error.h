#pragma once
// Errors of the library. Libraries throw; programs decide what to print and how to exit.
//
// Messages are one line: what was expected, what came, where, and what to do.

#include <stdexcept>
#include <string>

namespace outerloop {

// Base of every error that the library throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The user's input is wrong (config, data file, command line, shapes). Exit code 2.
class BadInput : public Error {
 public:
  using Error::Error;
};

// The system failed us (full disk, unreadable file, out of memory). Exit code 1.
class SystemFailure : public Error {
 public:
  using Error::Error;
};

// A file is present but its content is damaged; says file and place. Exit code 1, or the next older
// file is used where there is one.
class CorruptFile : public SystemFailure {
 public:
  using SystemFailure::SystemFailure;
};

// A broken invariant of our own: a defect of the program, never of its input.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// The system's words for an errno. Of a file that would grow too large, also who sets the limit.
std::string errno_text(int error);

// A SystemFailure by errno, just after a call of the system failed: "FILE: cannot STEP: why".
[[noreturn]] void throw_errno(const std::string& file, const char* step);

[[noreturn]] void throw_internal_error(const char* expression, const char* file, int line,
                                       const std::string& message);

}  // namespace outerloop

// Checks an invariant in every build. The message is a std::string expression.
#define OL_ASSERT(condition, message)                                                             \
  do {                                                                                            \
    if (!(condition)) ::outerloop::throw_internal_error(#condition, __FILE__, __LINE__, message); \
  } while (false)
