#pragma once
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011; Random123). A stream is a pure function of its key, so there is no state to
// carry between ranks, threads, restarts or iterations.
//
// Word order of a stream: Philox runs on eight consecutive counters at a time (a group, 32 words);
// the group gives word 0 of its eight blocks, then word 1 of its eight blocks, and so on. That
// order is part of the contract: it is the same on every instruction set.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "outerloop/base/draws.h"

namespace outerloop {

// What a stream is for: streams of different purpose never share a number. Values are written into
// results, so they are appended, never renumbered.
enum class Purpose : uint16_t {
  test = 0,        // unit tests
  train_task = 1,  // the task of (iteration, slot), one purpose per split
  validation_task = 2,
  test_task = 3,
  train_minibatch = 4,  // rows of the inner steps' minibatches
  validation_minibatch = 5,
  test_minibatch = 6,
  initial_value = 7,  // slot = index of the parameter
  dropout = 8,
  data_split = 9,  // class splits made by importers
  search = 11,     // 10 was another
  importance = 12,
  sign_flip = 13,  // sign vectors of a test, iteration = place of the vector
};

// Distinct keys name independent streams.
struct StreamKey {
  uint64_t seed = 0;
  Purpose purpose = Purpose::test;
  uint64_t iteration = 0;  // below 2^48
  uint32_t slot = 0;
};

// One stream, read from its start. Cheap to make (nothing is drawn before the first number), not
// thread-safe; make one per use. At most 2^34 words.
class Philox {
 public:
  static constexpr size_t kGroupWords = 32;

  // Throws InternalError when the iteration is out of range.
  explicit Philox(const StreamKey& key);

  uint32_t next() {
    if (used_ == kGroupWords) refill();
    return words_[used_++];
  }
  // [0, 1): a multiple of 2^-24.
  float uniform() { return draws::uniform(next()); }
  // low + (high - low) * uniform(), each operation rounded.
  float uniform(float low, float high) { return draws::uniform(next(), low, high); }
  // (0, 1): 52 bits and half a step, so never 0 or 1. Takes two words.
  double uniform_double();
  // 0 … bound - 1, unbiased (Lemire, "Fast random integer generation in an interval", 2019).
  // bound must not be 0.
  uint32_t below(uint32_t bound);
  // Standard normal by inversion; takes two words.
  double normal();
  // Normal cut at ±limit standard deviations.
  double truncated_normal(double limit);

  // The same numbers as that many calls of next() or uniform(), drawn a group at a time.
  void fill(std::span<uint32_t> words);
  void fill(std::span<float> uniforms);
  void fill(std::span<float> uniforms, float low, float high);

  // Fisher-Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (size_t left = items.size(); left > 1; --left) {
      std::swap(items[left - 1], items[below(static_cast<uint32_t>(left))]);
    }
  }
  // chosen.size() different numbers of 0 … n - 1 in random order (Floyd's algorithm, then a
  // shuffle). Needs chosen.size() <= n; takes no memory, time quadratic in chosen.size().
  void choose(uint32_t n, std::span<uint32_t> chosen);
  void choose(uint32_t n, std::span<int32_t> chosen);

 private:
  void refill();

  std::array<uint32_t, kGroupWords> words_;
  size_t used_ = kGroupWords;
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
};

// The probability p below which a standard normal falls is inverted: AS 241 (Wichura 1988), about
// 1e-16 relative. 0 < p < 1. The same bits on every machine.
double normal_quantile(double p);

}  // namespace outerloop
