#pragma once
// A few meta-steps and all that they give, on threads or on a device.

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/image_sets.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/device_connection.h"
#include "train/runs.h"

namespace outerloop::train {

struct Case {
  std::string name;
  std::string config;
  Words words;
  int64_t iterations = 3;
};

// All that a few meta-steps give.
struct Course {
  std::vector<std::vector<float>> state;
  std::vector<StepHashes> hashes;
  std::vector<double> numbers;
  int64_t updates = 0;
  int64_t partly_left_out = 0;  // iterations in which some slots count and others do not
  SlotReplay replay;
  std::string way;  // between devices, if any
};

class Courses : public ::testing::Test {
 protected:
  Courses() { data::save_image_set(data::small_set(), folder_ / "small.h5"); }

  static Words tiny() { return tiny_sinusoid(); }
  Words images() const { return small_images(folder_ / "small.h5"); }

  // One of each kind.
  std::vector<Case> learners() const {
    return {
        {"exact", "sinusoid_maml", tiny() + Words{"inner.steps=2"}},
        {"segments", "sinusoid_maml", tiny() + Words{"inner.steps=4", "inner.segment=2"}},
        {"minibatches", "sinusoid_maml", tiny() + Words{"inner.steps=2", "inner.batch=2"}},
        {"first order", "sinusoid_fomaml", tiny()},
        {"learned optimiser", "sinusoid_learned_optimizer", tiny() + Words{"inner.steps=2"}},
        {"batch norm", "omniglot_maml", images()},
        {"per-step rates", "omniglot_mamlpp",
         images() + Words{"inner.steps=2", "outer.epoch=2", "learner.multi_step_loss_epochs=3"}},
        {"rates per weight", "omniglot_meta_sgd", images()},
        {"reptile", "omniglot_reptile",
         images() + Words{"tasks.shots=2", "inner.batch=3", "test.batch=0"}},
        {"implicit", "omniglot_imaml", images() + Words{"inner.steps=2"}},
        {"prototypes", "omniglot_protonet", images()},
        {"closed form", "omniglot_r2d2", images()}};
  }

  config::Resolved resolved(const Case& c) const {
    return shipped(c.config, folder_ / "run", c.words + Words{"runtime.threads=1"});
  }

  Course course(const Case& c, const std::shared_ptr<exec::Device>& device,
                comm::Communicator* ranks = nullptr) const {
    std::optional<DeviceConnection> between_devices;
    if (device && ranks != nullptr && ranks->size() > 1) {
      between_devices.emplace(*ranks, device, comm::NcclOptions{});
    }
    const config::Resolved settings = resolved(c);
    const train::Setup setup = make_setup(settings.config, settings.folder);
    ThreadPool pool(1);
    MetaStep step(settings.config, setup.learner, setup.train_shape, setup.train_tasks, pool, {},
                  ranks, device, between_devices ? &between_devices->ranks() : nullptr);
    step.set_gradient_hook(hook_);
    Course result;
    step.run(0, c.iterations, [&](int64_t /*iteration*/, const MetaStepResult& got) {
      result.hashes.push_back(step.hashes());
      result.numbers.insert(result.numbers.end(),
                            {got.loss, got.accuracy, static_cast<double>(got.nonfinite)});
      result.numbers.insert(result.numbers.end(), got.measures.begin(), got.measures.end());
      const bool some = got.nonfinite > 0 && got.nonfinite < settings.config.outer.meta_batch;
      result.partly_left_out += some ? 1 : 0;
    });
    result.updates = step.state().updates;
    const auto keep = [&](const Tensor& tensor) {
      const auto values = tensor.as<float>();
      result.state.emplace_back(values.begin(), values.end());
    };
    keep(step.state().theta);
    for (const io::NamedTensor& item : step.state().optimizer) keep(item.value);
    result.replay = step.recompute(c.iterations, 0);
    if (between_devices) {
      between_devices->ranks().finish();
      result.way = between_devices->way();
    }
    return result;
  }

  static void expect_equal(const Course& got, const Course& expected, const std::string& what) {
    SCOPED_TRACE(what);
    ASSERT_EQ(got.state.size(), expected.state.size());
    for (size_t s = 0; s < got.state.size(); ++s) {
      ASSERT_EQ(got.state[s].size(), expected.state[s].size());
      EXPECT_EQ(0, std::memcmp(got.state[s].data(), expected.state[s].data(),
                               got.state[s].size() * sizeof(float)));
    }
    for (size_t i = 0; i < got.hashes.size(); ++i) {
      EXPECT_EQ(got.hashes[i].slots, expected.hashes[i].slots) << "iteration " << i;
      EXPECT_EQ(got.hashes[i].gradients, expected.hashes[i].gradients) << "iteration " << i;
      EXPECT_EQ(got.hashes[i].state, expected.hashes[i].state) << "iteration " << i;
    }
    EXPECT_EQ(got.numbers, expected.numbers);
    EXPECT_EQ(got.updates, expected.updates);
    EXPECT_EQ(got.replay.hash, expected.replay.hash);
    EXPECT_EQ(std::bit_cast<uint32_t>(got.replay.loss),
              std::bit_cast<uint32_t>(expected.replay.loss));
    EXPECT_EQ(got.replay.gradients, expected.replay.gradients);
  }

  TemporaryFolder folder_;
  GradientHook hook_;
};

}  // namespace outerloop::train
