#pragma once
// What a rank does about the launcher that started it.

namespace outerloop::cli {

// Where mpirun started this process: leaves a process behind that kills mpirun if it still runs ten
// seconds later. For a rank that ends because another was cut off: mpirun waits for ever for the
// daemon there to answer, unless it noticed the cut before (launch/env.sh makes it).
void end_launcher_later();

}  // namespace outerloop::cli
