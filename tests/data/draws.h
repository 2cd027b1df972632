#pragma once
// Helpers of the tests that draw episodes.

#include <gtest/gtest.h>

#include <cstddef>
#include <thread>
#include <vector>

#include "outerloop/data/family.h"

namespace outerloop::data {

inline Episode drawn(const TaskFamily& family, const TaskKey& key) {
  Episode episode(family.spec());
  family.draw(key, episode.buffers());
  return episode;
}

using Bits = std::vector<std::byte>;

inline Bits bits(const Episode& episode) {
  Bits all;
  for (const Tensor* tensor : {&episode.support_x, &episode.support_y, &episode.query_x,
                               &episode.query_y, &episode.minibatches}) {
    if (tensor->empty()) continue;
    all.insert(all.end(), tensor->data(), tensor->data() + tensor->bytes());
  }
  return all;
}

// Draws many tasks forwards, then backwards into buffers full of other tasks' values from four
// threads at once, and expects the same bits.
inline void expect_pure(const TaskFamily& family) {
  std::vector<TaskKey> keys;
  for (const Split split : kSplits) {
    for (uint64_t iteration : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40}) {
      for (uint32_t slot = 0; slot < 5; ++slot) {
        keys.push_back({.seed = 99, .split = split, .iteration = iteration, .slot = slot});
      }
    }
  }
  std::vector<Bits> expected;
  for (const TaskKey& key : keys) expected.push_back(bits(drawn(family, key)));
  for (size_t i = 1; i < keys.size(); ++i) EXPECT_NE(expected[i], expected[0]);

  std::vector<std::vector<Bits>> seen(4);
  std::vector<std::thread> threads;
  for (std::vector<Bits>& mine : seen) {
    threads.emplace_back([&] {
      Episode episode(family.spec());
      for (size_t i = keys.size(); i-- > 0;) {
        family.draw(keys[i], episode.buffers());
        mine.push_back(bits(episode));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Bits>& mine : seen) {
    for (size_t i = 0; i < keys.size(); ++i) {
      EXPECT_EQ(mine[keys.size() - 1 - i], expected[i]) << "task " << i;
    }
  }
}

}  // namespace outerloop::data
