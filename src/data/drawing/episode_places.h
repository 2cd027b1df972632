#pragma once
// What all families' drawings have in common. A drawing is a struct of plain values and addresses
//
//   draw(dealer, which, places, room): writes one task, with `room` to work in
//
// that the host and devices compile (outerloop/base/draws.h).

#include "outerloop/base/draws.h"

namespace outerloop::data {

// Of a task key what the stream of random numbers does not hold.
struct WhichTask {
  unsigned split;
  unsigned slot;
};

// Where an episode goes. Of those that a family does not use it does not write.
struct EpisodePlaces {
  float* support_x;
  float* query_x;
  int* support_names;
  int* query_names;
  float* support_targets;
  float* query_targets;
  int* support_labels;
  int* query_labels;
};

// Consecutive passes over the rows, each freshly shuffled.
template <class Dealer>
OL_BOTH void draw_passes(Dealer& dealer, unsigned rows, int* indices, unsigned count) {
  for (unsigned first = 0; first < count; first += rows) {
    draws::choose(dealer, rows, indices + first, count - first < rows ? count - first : rows);
  }
}

// The rows of class `label`, which is the label.
template <class Dealer>
OL_BOTH void write_labels(const Dealer& dealer, unsigned label, unsigned rows, int* labels) {
  draws::each(dealer, rows,
              [&](unsigned i) { labels[label * rows + i] = static_cast<int>(label); });
}

}  // namespace outerloop::data
