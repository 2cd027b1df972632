#pragma once
// Tasks of a set of images (outerloop/data/image_family.h).

#include "data/drawing/episode_places.h"

namespace outerloop::data {

struct ImageDrawing {
  static constexpr int kTurns = 4;

  // The classes that one split offers, those of a group adjacent. Without groups, one pool.
  struct Pools {
    const int* classes;     // class * 4 + quarter turns
    const unsigned* begin;  // count + 1
    unsigned count;
    bool turns_classes;  // each class of a task is turned
  };
  Pools pools[3];            // by split
  const Int64* class_begin;  // in the set's images
  unsigned ways, shots, queries;

  OL_BOTH unsigned room() const { return ways + shots + queries; }

  // Fills chosen with class * 4 + quarter turns, in label order; returns the pool.
  template <class Dealer>
  OL_BOTH unsigned choose_classes(Dealer& dealer, unsigned split, int* chosen) const {
    const Pools& pool = pools[split];
    const unsigned which = pool.count > 1 ? draws::below(dealer, pool.count) : 0;
    const unsigned first = pool.begin[which];
    draws::choose(dealer, pool.begin[which + 1] - first, chosen, ways);
    draws::each(dealer, ways, [&](unsigned i) {
      chosen[i] = pool.classes[first + static_cast<unsigned>(chosen[i])];
    });
    for (unsigned i = 0; pool.turns_classes && i < ways; ++i) {
      const unsigned turns = draws::below(dealer, kTurns);
      if (i % dealer.count() == dealer.index()) chosen[i] += static_cast<int>(turns);
    }
    dealer.meet();
    return which;
  }

  // Calls write(label, turned class, images of it) for each class: shots of them are support, then
  // come queries.
  template <class Dealer, class Write>
  OL_BOTH void draw_classes(Dealer& dealer, unsigned split, int* room, Write write) const {
    int* const chosen = room;
    int* const images = room + ways;
    choose_classes(dealer, split, chosen);
    for (unsigned label = 0; label < ways; ++label) {
      const int c = chosen[label] / kTurns;
      draws::choose(dealer, static_cast<unsigned>(class_begin[c + 1] - class_begin[c]), images,
                    shots + queries);
      write(label, chosen[label], images);
    }
  }

  template <class Dealer>
  OL_BOTH void draw_labels(const Dealer& dealer, const EpisodePlaces& places) const {
    for (unsigned label = 0; label < ways; ++label) {
      write_labels(dealer, label, shots, places.support_labels);
      write_labels(dealer, label, queries, places.query_labels);
    }
  }

  // The names of the images.
  template <class Dealer>
  OL_BOTH void draw(Dealer& dealer, const WhichTask& which, const EpisodePlaces& places,
                    int* room) const {
    draw_classes(dealer, which.split, room, [&](unsigned label, int turned, const int* images) {
      const auto begin = static_cast<int>(class_begin[turned / kTurns]);
      draws::each(dealer, shots + queries, [&](unsigned i) {
        const int name = (begin + images[i]) * kTurns + turned % kTurns;
        if (i < shots) {
          places.support_names[label * shots + i] = name;
        } else {
          places.query_names[label * queries + i - shots] = name;
        }
      });
    });
    draw_labels(dealer, places);
  }
};

}  // namespace outerloop::data
