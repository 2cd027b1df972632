#pragma once
// What a device knows of a family.

#include "data/drawing/episode_places.h"
#include "outerloop/data/lane_key.h"

namespace outerloop::data {

template <class Drawing>
struct LaneDrawing {
  unsigned support_rows;
  unsigned minibatch_indices;
  Drawing drawing;
};

}  // namespace outerloop::data
