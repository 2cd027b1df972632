#pragma once
// Tasks of a table (outerloop/data/table_family.h).

#include "data/drawing/episode_places.h"

namespace outerloop::data {

struct TableDrawing {
  struct Task {
    int place;         // in the table
    unsigned first;    // of its classes that have rows enough
    unsigned classes;  // so many
  };
  struct Tasks {
    const Task* tasks;
    unsigned count;
  };
  Tasks splits[3];
  const int* classes;  // of all tasks
  const Int64* begin;  // first row of (task, class), and the end
  const float* x;      // (row, inputs)
  const float* y;      // (row,); null with classes
  unsigned groups;     // classes, or 1
  unsigned inputs;
  unsigned ways, shots, queries;

  OL_BOTH unsigned room() const { return ways + shots + queries; }

  // Training draws it; the others go round their tasks.
  template <class Dealer>
  OL_BOTH const Task& choose_task(Dealer& dealer, const WhichTask& which) const {
    const Tasks& all = splits[which.split];
    return all.tasks[which.split == 0 ? draws::below(dealer, all.count) : which.slot % all.count];
  }

  // In the table's order.
  template <class Dealer>
  OL_BOTH void choose_classes(Dealer& dealer, const Task& task, int* chosen) const {
    draws::choose(dealer, task.classes, chosen, ways);
    if (dealer.index() == 0) {
      for (unsigned i = 1; i < ways; ++i) {
        const int inserted = chosen[i];
        unsigned place = i;
        for (; place > 0 && chosen[place - 1] > inserted; --place)
          chosen[place] = chosen[place - 1];
        chosen[place] = inserted;
      }
      for (unsigned i = 0; i < ways; ++i) {
        chosen[i] = classes[task.first + static_cast<unsigned>(chosen[i])];
      }
    }
    dealer.meet();
  }

  template <class Dealer>
  OL_BOTH void copy_rows(const Dealer& dealer, Int64 first, const int* rows, unsigned count,
                         unsigned label, float* xs, float* ys) const {
    for (unsigned i = 0; i < count; ++i) {
      const Int64 row = first + rows[i];
      float* const to = xs + static_cast<Int64>(label * count + i) * inputs;
      draws::each(dealer, inputs, [&](unsigned k) { to[k] = x[row * inputs + k]; });
    }
    if (y == nullptr) return;
    draws::each(dealer, count, [&](unsigned i) { ys[label * count + i] = y[first + rows[i]]; });
  }

  template <class Dealer>
  OL_BOTH void draw(Dealer& dealer, const WhichTask& which, const EpisodePlaces& places,
                    int* room) const {
    int* const chosen = room;
    int* const rows = room + ways;
    const Task& task = choose_task(dealer, which);
    choose_classes(dealer, task, chosen);
    for (unsigned label = 0; label < ways; ++label) {
      const Int64* const from = begin + (static_cast<Int64>(task.place) * groups + chosen[label]);
      draws::choose(dealer, static_cast<unsigned>(from[1] - from[0]), rows, shots + queries);
      copy_rows(dealer, from[0], rows, shots, label, places.support_x, places.support_targets);
      copy_rows(dealer, from[0], rows + shots, queries, label, places.query_x,
                places.query_targets);
      if (y != nullptr) continue;
      write_labels(dealer, label, shots, places.support_labels);
      write_labels(dealer, label, queries, places.query_labels);
    }
  }
};

}  // namespace outerloop::data
