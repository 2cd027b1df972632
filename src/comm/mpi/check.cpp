#include "comm/mpi/check.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "outerloop/comm/mpi.h"

namespace outerloop::comm {

void throw_mpi_error(int code, const char* call, const char* file, int line) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) length = 0;
  int rank = -1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::string_view name(call);
  if (name.starts_with("MPI_")) name = name.substr(0, name.find('('));  // without arguments
  throw MpiError(fmt::format("{} failed on rank {}: {} ({}:{})", name, rank,
                             length > 0 ? text.data() : "no text", file, line));
}

}  // namespace outerloop::comm
