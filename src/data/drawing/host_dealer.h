#pragma once
// A drawing's dealer on the host.

#include "data/drawing/episode_places.h"
#include "data/sine.h"
#include "outerloop/base/philox.h"
#include "outerloop/data/episode.h"
#include "outerloop/data/range.h"

namespace outerloop::data {

class HostDealer : public draws::Alone {
 public:
  explicit HostDealer(const Philox& random) : random_(random) {}

  unsigned next() { return random_.next(); }
  void fill(float* values, unsigned count, const Range& range) {
    random_.fill(std::span(values, count), range.low, range.high);
  }
  template <class Take>
  void normals(unsigned count, Take take) {
    for (unsigned i = 0; i < count; ++i) take(i, random_.normal());
  }
  static void add_sine(const Sine& sine, const float* x, float* y, unsigned count) {
    data::add_sine(sine, {x, count}, {y, count});
  }

 private:
  Philox random_;
};

inline WhichTask which_task(const TaskKey& key) {
  return {.split = static_cast<unsigned>(key.split), .slot = key.slot};
}

inline EpisodePlaces places_of(const EpisodeBuffers& buffers) {
  return {.support_x = buffers.support_x.data(),
          .query_x = buffers.query_x.data(),
          .support_names = nullptr,
          .query_names = nullptr,
          .support_targets = buffers.support_targets.data(),
          .query_targets = buffers.query_targets.data(),
          .support_labels = buffers.support_labels.data(),
          .query_labels = buffers.query_labels.data()};
}

}  // namespace outerloop::data
