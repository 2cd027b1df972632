#pragma once
// Outer updates fed with gradients of our own, and what they must have in common.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "train/device_update.h"
#include "train/thread_update.h"

namespace outerloop::train {

inline constexpr int64_t kElements = 6224;  // enough for three threads
using Vector = std::vector<float>;

inline Vector drawn(float seed) {
  Vector values(kElements);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(seed + 1.7F * static_cast<float>(i));
  }
  return values;
}

// Who makes the update.
struct Where {
  int threads = 1;
  std::shared_ptr<exec::Device> device;  // null: the threads
};

inline std::ostream& operator<<(std::ostream& out, const Where& where) {
  return out << (where.device ? "a device" : std::to_string(where.threads) + " threads");
}

// A learner's parameters and their update, fed with gradients of our own.
class Update {
 public:
  Update(const config::Outer& outer, const Where& where) : pool_(where.threads), compiler_({}) {
    config::Config config;
    config.outer = outer;
    const nn::ParameterSpecs parameters{
        {"weight", {kElements}, {.rule = config::Init::normal, .std = 1}}};
    const optim::ThetaLayout layout = layout_of(parameters);
    OuterState start = initial_state(config, parameters, layout);
    if (where.device) {
      on_device_.emplace(where.device, std::move(start));
      update_ = std::make_unique<DeviceUpdate>(config, parameters, layout, *on_device_);
    } else {
      update_ = std::make_unique<ThreadUpdate>(config, parameters, layout, pool_, compiler_,
                                               std::move(start));
    }
  }

  bool apply(int64_t iteration, std::vector<Vector> slots) {
    std::vector<comm::SlotNode> nodes;
    for (size_t i = 0; i < slots.size(); ++i) {
      nodes.push_back({0, static_cast<int64_t>(i), true, slots[i].data()});
    }
    const auto count = static_cast<int64_t>(nodes.size());
    if (const auto* device = dynamic_cast<const DeviceUpdate*>(update_.get())) {
      Vector sum(kElements);
      comm::finish_tree(nodes, 0, kElements, sum);
      sum.push_back(static_cast<float>(count));
      on_device_->device().upload(on_device_->stream(),
                                  reinterpret_cast<std::byte*>(device->sum().data()),
                                  std::as_bytes(std::span(sum)));
      nodes = {{.present = true, .data = device->sum().data(), .count = device->count()}};
    }
    return update_->apply(iteration, nodes, count);
  }

  // Theta, then the optimiser's states.
  std::vector<Vector> values() const {
    std::vector<Vector> all;
    const auto add = [&all](const Tensor& tensor) {
      const auto values = tensor.as<float>();
      all.emplace_back(values.begin(), values.end());
    };
    add(update_->state().theta);
    for (const io::NamedTensor& item : update_->state().optimizer) add(item.value);
    return all;
  }
  int64_t updates() const { return update_->state().updates; }
  uint32_t hash() const {
    uint32_t hash = 0;
    update_->hash_state({&hash, 1});
    return hash;
  }
  void set(const Update& other) { update_->set_state(other.update_->state()); }

 private:
  ThreadPool pool_;
  CallCompiler compiler_;
  std::optional<DeviceState> on_device_;
  std::unique_ptr<OuterUpdate> update_;
};

inline config::Outer adam() {
  config::Outer outer;
  outer.optimizer = config::OuterOptimizer::adamw;
  outer.rate = 0.01;
  outer.weight_decay = 0.1;
  outer.ema = 0.9;
  return outer;
}

inline Vector with(Vector values, size_t place, float value) {
  values[place] = value;
  return values;
}

inline constexpr float kLarge = 3e38F;  // finite; twice it is not

struct Refused {
  std::string name;
  config::Outer outer;
  std::vector<Vector> slots;
};

inline void PrintTo(const Refused& one, std::ostream* out) {
  *out << one.name;
}

inline std::vector<Refused> refused() {
  const Vector overflows = with(drawn(1), 77, kLarge);
  config::Outer clipped = adam();
  clipped.clip_value = 1;
  config::Outer scaled = adam();
  scaled.clip_norm = 1;
  config::Outer descent;
  descent.optimizer = config::OuterOptimizer::sgd;
  descent.rate = 1e30;
  return {{"sum", adam(), {overflows, overflows}},
          // inf - inf
          {"sums_of_both_signs",
           adam(),
           {overflows, overflows, with(drawn(2), 77, -kLarge), with(drawn(2), 77, -kLarge)}},
          {"sum_that_clipping_would_hide", clipped, {overflows, overflows}},
          {"sum_whose_norm_is_clipped", scaled, {overflows, overflows}},
          {"square_in_adam", adam(), {with(drawn(1), 3, 1e30F)}},
          {"step", descent, {with(drawn(1), 40, 1e20F)}}};
}

struct Optimiser {
  std::string name;
  config::Outer outer;
};

inline std::vector<Optimiser> optimisers() {
  config::Outer descent;
  descent.optimizer = config::OuterOptimizer::sgd;
  descent.rate = 0.01;
  config::Outer momentum = descent;
  momentum.momentum = 0.9;
  momentum.weight_decay = 0.1;
  momentum.clip_norm = 1;
  config::Outer coupled = adam();
  coupled.optimizer = config::OuterOptimizer::adam;
  coupled.clip_value = 0.5;
  coupled.ema = {};
  return {{"adamw", adam()}, {"adam", coupled}, {"momentum", momentum}, {"descent", descent}};
}

// What is not finite changes nothing and does not count, whoever makes the update.
inline void expect_refused(const Refused& c, const Where& where) {
  SCOPED_TRACE(where);
  Update skipping(c.outer, where);
  Update clean(c.outer, where);
  const std::vector<Vector> ordinary{drawn(5), drawn(6)};
  ASSERT_TRUE(skipping.apply(0, ordinary));
  ASSERT_TRUE(clean.apply(0, ordinary));
  const auto before = skipping.values();
  EXPECT_FALSE(skipping.apply(1, c.slots));
  EXPECT_EQ(skipping.values(), before);
  EXPECT_EQ(skipping.updates(), 1);
  EXPECT_EQ(skipping.hash(), clean.hash());
  // Adam's next step is its second, although the iteration is the third.
  EXPECT_TRUE(skipping.apply(2, ordinary));
  EXPECT_TRUE(clean.apply(1, ordinary));
  EXPECT_EQ(skipping.values(), clean.values());
  EXPECT_NE(skipping.values(), before);
  EXPECT_EQ(skipping.updates(), 2);
}

// A finite gradient whose squares are not is scaled down as any other.
inline void expect_huge_is_clipped(const Where& where) {
  SCOPED_TRACE(where);
  config::Outer outer;
  outer.optimizer = config::OuterOptimizer::sgd;
  outer.rate = 0.5;
  outer.clip_norm = 1;
  Update update(outer, where);
  const float before = update.values()[0][3];
  ASSERT_TRUE(update.apply(0, {with(drawn(1), 3, 1e30F)}));
  EXPECT_FLOAT_EQ(update.values()[0][3], before - 0.5F);
}

inline void expect_same_bits(const Optimiser& optimiser, const Where& where) {
  SCOPED_TRACE(optimiser.name);
  SCOPED_TRACE(where);
  const std::vector<Vector> slots{drawn(1), drawn(2), drawn(3)};
  Update one(optimiser.outer, Where{1}), other(optimiser.outer, where);
  EXPECT_EQ(other.hash(), one.hash());
  for (int64_t t = 0; t < 3; ++t) {
    ASSERT_TRUE(one.apply(t, slots));
    ASSERT_TRUE(other.apply(t, slots));
  }
  EXPECT_EQ(other.values(), one.values());
  EXPECT_EQ(other.hash(), one.hash());
  EXPECT_EQ(other.updates(), 3);
}

}  // namespace outerloop::train
