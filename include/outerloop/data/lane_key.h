#pragma once

namespace outerloop::data {

// What a device knows of the tasks that it draws, and the names of their random streams.
struct LaneKey {
  unsigned seed[2];
  unsigned iteration[2];  // of step 0; low word first, as the seed's
  unsigned slot;          // of lane 0
  unsigned split;         // 0, 1, 2
  unsigned task_purpose;
  unsigned minibatch_purpose;
};

}  // namespace outerloop::data
