#pragma once
// What a rank knows of the launcher that started it, and does about it.

namespace outerloop::cli {

// The number of this process among those that mpirun or srun started with the same words, by their
// variables, before MPI starts; 0: it is the first, or alone.
int place_in_launch();

// Where mpirun started this process: leaves a process behind that kills mpirun if it still runs ten
// seconds later. For a rank that ends because another was cut off: mpirun waits for ever for the
// daemon there to answer, unless it noticed the cut before (launch/env.sh makes it).
void end_launcher_later();

}  // namespace outerloop::cli
