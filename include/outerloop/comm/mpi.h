#pragma once
// Ranks as processes under MPI, or one rank where the program was started plainly.

#include <cstdint>
#include <memory>
#include <string>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

// An MPI call failed: says which, on which rank and where.
class MpiError : public SystemFailure {
 public:
  using SystemFailure::SystemFailure;
};

// Whether mpirun, mpiexec or srun --mpi=… started this process, by the variables that they set.
bool started_by_mpi();

// Of the library that is linked, such as "Open MPI v4.1.4". MPI need not be initialised.
std::string mpi_version();

struct WorldOptions {
  // Longer messages go in pieces of this size, since MPI counts in 31 bits.
  int64_t chunk_bytes = int64_t{1} << 30;
};

// All ranks of the run. Under an MPI launcher it initialises MPI; otherwise there is one rank and
// MPI is not touched. At most one in a process, as MPI starts once.
//
// Threads other than the first may use ranks(), one at a time (MPI_THREAD_SERIALIZED): the one
// that completes a part of a sum is the one to send it.
class World {
 public:
  explicit World(const WorldOptions& options = {});
  // Ends all ranks with exit code 1 unless finish() was called: the others would wait for ever.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Communicator& ranks();
  // All ranks together, when each is about to end, be it in success or with an Agreed error.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::comm
