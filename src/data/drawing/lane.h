#pragma once
// Device code alone, behind the text that all kernels share: the drawing of one lane's episode by
// the threads of a block (outerloop/data/device_drawing.h).

#include "data/drawing/lane_drawing.h"
#include "data/drawing/sine.h"

namespace outerloop::data {

// A stream's words, a group of them at a time in shared memory (outerloop/base/philox.h).
class BlockDealer {
 public:
  OL_DEVICE BlockDealer(const LaneKey& key, unsigned step, unsigned purpose, unsigned* words)
      : key0_(key.seed[0]), key1_(key.seed[1]), words_(words) {
    const unsigned long long iteration =
        (static_cast<unsigned long long>(key.iteration[1]) << 32 | key.iteration[0]) + step;
    slot_ = key.slot + blockIdx.x;
    low_ = static_cast<unsigned>(iteration);
    high_ = static_cast<unsigned>(iteration >> 32) | purpose << 16;
  }

  OL_DEVICE static unsigned index() { return threadIdx.x; }
  OL_DEVICE static unsigned count() { return blockDim.x; }
  OL_DEVICE static void meet() { __syncthreads(); }
  OL_DEVICE static bool any(bool x) { return __syncthreads_or(x ? 1 : 0) != 0; }

  OL_DEVICE unsigned next() {
    const unsigned group = next_ / kGroupWords;
    if (group != group_) {
      meet();
      draws::each(*this, kGroupWords,
                  [&](unsigned i) { words_[i] = word(group * kGroupWords + i); });
      meet();
      group_ = group;
    }
    return words_[next_++ % kGroupWords];
  }

  OL_DEVICE void fill(float* values, unsigned count, const Range& range) {
    draws::each(*this, count, [&](unsigned i) {
      values[i] = draws::uniform(word(next_ + i), range.low, range.high);
    });
    next_ += count;
  }

  template <class Take>
  OL_DEVICE void normals(unsigned count, Take take) {
    draws::each(*this, count, [&](unsigned i) {
      const unsigned high = word(next_ + 2 * i);
      take(i, draws::normal_quantile(draws::uniform_double(high, word(next_ + 2 * i + 1))));
    });
    next_ += 2 * count;
  }

  OL_DEVICE void add_sine(const Sine& sine, const float* x, float* y, unsigned count) const {
    draws::each(*this, count, [&](unsigned i) { y[i] = plus_sine(sine, x[i], y[i]); });
  }

 private:
  // The stream's word number i, by nothing but its number.
  OL_DEVICE unsigned word(unsigned i) const {
    const unsigned place = i % kGroupWords;
    unsigned counter[ol::kPhiloxWords] = {
        i / kGroupWords * ol::kPhiloxLanes + place % ol::kPhiloxLanes, slot_, low_, high_};
    ol::philox(key0_, key1_, counter);
    const unsigned which = place / ol::kPhiloxLanes;
    const unsigned lower = which == 0 ? counter[0] : counter[1];
    return which < 2 ? lower : which == 2 ? counter[2] : counter[3];
  }

  unsigned key0_, key1_, slot_, low_, high_;
  unsigned* words_;
  unsigned next_ = 0, group_ = ~0U;
};

// Operands as DrawingOperand has them.
template <class Drawing>
OL_DEVICE void draw_lane(const ol::Pointers<9>& p, char* scratch) {
  auto* const words = reinterpret_cast<unsigned*>(scratch);
  auto* const room = reinterpret_cast<int*>(words + kGroupWords);
  const LaneKey& key = *p.get<const LaneKey>(0);
  const unsigned step = *p.get<const unsigned>(1);
  const auto& lane = *p.get<const LaneDrawing<Drawing>>(2);
  const unsigned slot = key.slot + blockIdx.x;
  const EpisodePlaces places{p.get<float>(3), p.get<float>(4), p.get<int>(3), p.get<int>(4),
                             p.get<float>(5), p.get<float>(6), p.get<int>(5), p.get<int>(6)};
  BlockDealer task(key, step, key.task_purpose, words);
  lane.drawing.draw(task, {key.split, slot}, places, room);
  BlockDealer rows(key, step, key.minibatch_purpose, words);
  draw_passes(rows, lane.support_rows, p.get<int>(7), lane.minibatch_indices);
  if (threadIdx.x == 0) {
    int* const dropout = p.get<int>(8);
    dropout[0] = static_cast<int>(key.seed[0]);
    dropout[1] = static_cast<int>(key.seed[1]);
    dropout[2] = static_cast<int>(key.iteration[0] + step);
    dropout[3] = static_cast<int>(slot);
  }
}

}  // namespace outerloop::data
