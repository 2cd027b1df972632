#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "comm/mpi/check.h"
#include "comm/mpi/mpi_ranks.h"
#include "outerloop/comm/local.h"
#include "outerloop/comm/mpi.h"

namespace outerloop::comm {

bool started_by_mpi() {
  // Open MPI's mpirun, whatever speaks PMIx (srun --mpi=pmix), MPICH's mpiexec and srun --mpi=pmi2.
  constexpr std::array kVariables{"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
  return std::ranges::any_of(kVariables,
                             [](const char* name) { return std::getenv(name) != nullptr; });
}

std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  OL_MPI(MPI_Get_library_version(text.data(), &length));
  // Open MPI goes on with its packager after a comma, MPICH with its build in more lines.
  const std::string all(text.data());
  std::string first = all.substr(0, all.find_first_of(",\n"));
  std::ranges::replace(first, '\t', ' ');
  return first;
}

struct World::Impl {
  std::unique_ptr<LocalGroup> alone;
  std::unique_ptr<MpiRanks> ranks;
};

World::World(const WorldOptions& options) : impl_(std::make_unique<Impl>()) {
  if (!started_by_mpi()) {
    impl_->alone = std::make_unique<LocalGroup>(1);
    return;
  }
  int given = 0;
  OL_MPI(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given));
  if (given < MPI_THREAD_SERIALIZED) {
    throw MpiError(fmt::format(
        "this MPI library allows calls from one thread only (level {}, {} needed); use one that "
        "was built with thread support",
        given, MPI_THREAD_SERIALIZED));
  }
  OL_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  impl_->ranks = std::make_unique<MpiRanks>(MPI_COMM_WORLD, options.chunk_bytes);
}

World::~World() {
  if (impl_->ranks) impl_->ranks->abort(1);
}

Communicator& World::ranks() {
  if (impl_->ranks) return *impl_->ranks;
  OL_ASSERT(impl_->alone != nullptr, "the ranks have finished");
  return impl_->alone->rank(0);
}

void World::finish() {
  if (impl_->ranks) {
    impl_->ranks->free();
    OL_MPI(MPI_Finalize());
    impl_->ranks.reset();
  }
  impl_->alone.reset();
}

}  // namespace outerloop::comm
