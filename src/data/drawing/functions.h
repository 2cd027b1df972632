#pragma once
// Tasks of the families of functions (outerloop/data/function_families.h).

#include "data/drawing/episode_places.h"
#include "data/drawing/sine.h"
#include "outerloop/data/range.h"

namespace outerloop::data {

template <class Dealer>
OL_BOTH float draw_in(Dealer& dealer, const Range& range) {
  return draws::uniform(dealer.next(), range.low, range.high);
}

template <class Dealer>
OL_BOTH void fill_zeros(const Dealer& dealer, float* y, unsigned rows) {
  draws::each(dealer, rows, [&](unsigned i) { y[i] = 0.0F; });
}

struct SinusoidDrawing {
  Range amplitude, phase, x;
  unsigned support_rows, query_rows;

  // y = a sin(x - phase)
  template <class Dealer>
  OL_BOTH Sine draw_sine(Dealer& dealer) const {
    Sine sine;
    sine.amplitude = draw_in(dealer, amplitude);
    sine.phase = -draw_in(dealer, phase);
    return sine;
  }

  template <class Dealer>
  OL_BOTH void draw_points(Dealer& dealer, const Sine& sine, float* xs, float* ys,
                           unsigned rows) const {
    dealer.fill(xs, rows, x);
    fill_zeros(dealer, ys, rows);
    dealer.add_sine(sine, xs, ys, rows);
  }

  template <class Dealer>
  OL_BOTH void draw(Dealer& dealer, const WhichTask&, const EpisodePlaces& places, int*) const {
    const Sine sine = draw_sine(dealer);
    draw_points(dealer, sine, places.support_x, places.support_targets, support_rows);
    draw_points(dealer, sine, places.query_x, places.query_targets, query_rows);
  }
};

struct Harmonic {
  float centre;  // of the inputs
  Sine first, second;
};

struct HarmonicDrawing {
  Range centre, frequency, phase;
  float noise;
  unsigned support_rows, query_rows;

  template <class Dealer>
  OL_BOTH Sine draw_sine(Dealer& dealer, float of_frequency) const {
    Sine sine;
    sine.frequency = of_frequency;
    sine.phase = draw_in(dealer, phase);
    sine.amplitude = static_cast<float>(draws::normal(dealer));
    return sine;
  }

  template <class Dealer>
  OL_BOTH Harmonic draw_harmonic(Dealer& dealer) const {
    Harmonic task;
    task.centre = draw_in(dealer, centre);
    const float base = draw_in(dealer, frequency);
    task.first = draw_sine(dealer, base);
    task.second = draw_sine(dealer, 2.0F * base);
    return task;
  }

  template <class Dealer>
  OL_BOTH void draw_points(Dealer& dealer, const Harmonic& task, float* xs, float* ys,
                           unsigned rows) const {
    dealer.normals(
        rows, [&](unsigned i, double normal) { xs[i] = task.centre + static_cast<float>(normal); });
    fill_zeros(dealer, ys, rows);
    if (noise > 0) {
      dealer.normals(
          rows, [&](unsigned i, double normal) { ys[i] = noise * static_cast<float>(normal); });
    }
    dealer.add_sine(task.first, xs, ys, rows);
    dealer.add_sine(task.second, xs, ys, rows);
  }

  template <class Dealer>
  OL_BOTH void draw(Dealer& dealer, const WhichTask&, const EpisodePlaces& places, int*) const {
    const Harmonic task = draw_harmonic(dealer);
    draw_points(dealer, task, places.support_x, places.support_targets, support_rows);
    draw_points(dealer, task, places.query_x, places.query_targets, query_rows);
  }
};

}  // namespace outerloop::data
