#pragma once
// What a device knows of a family.

#include "data/drawing/episode_places.h"
#include "outerloop/data/lane_key.h"

namespace outerloop::data {

// Of a stream, that a device makes at a time (outerloop/base/philox.h).
constexpr unsigned kGroupWords = 32;

template <class Drawing>
struct LaneDrawing {
  unsigned support_rows;
  unsigned minibatch_indices;
  Drawing drawing;
};

}  // namespace outerloop::data
