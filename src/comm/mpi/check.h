#pragma once
// The one place where results of MPI calls are judged.

#include <mpi.h>

namespace outerloop::comm {

// `call`: the expression, or what was tried in words.
[[noreturn]] void throw_mpi_error(int code, const char* call, const char* file, int line);

}  // namespace outerloop::comm

// Throws MpiError unless the call succeeded. Communicators must return errors (MPI_ERRORS_RETURN).
#define OL_MPI(call)                                                       \
  do {                                                                     \
    if (const int code = (call); code != MPI_SUCCESS) {                    \
      ::outerloop::comm::throw_mpi_error(code, #call, __FILE__, __LINE__); \
    }                                                                      \
  } while (false)
