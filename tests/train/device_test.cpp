// Meta-steps on a device, a GPU or its stand-in: the bits of threads.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "data/image_sets.h"
#include "exec/cuda/test_device.h"
#include "outerloop/comm/local.h"
#include "outerloop/train/meta_step.h"
#include "outerloop/train/setup.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

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
};

class OnDevice : public ::testing::Test {
 protected:
  OnDevice() { data::save_image_set(data::small_set(), folder_ / "small.h5"); }

  static Words tiny() { return tiny_sinusoid(); }
  Words images() const { return small_images(folder_ / "small.h5"); }

  Course course(const Case& c, const std::shared_ptr<exec::Device>& device,
                comm::Communicator* ranks = nullptr) const {
    const config::Resolved resolved =
        shipped(c.config, folder_ / "run", c.words + Words{"runtime.threads=1"});
    const train::Setup setup = make_setup(resolved.config, resolved.folder);
    ThreadPool pool(1);
    MetaStep step(resolved.config, setup.learner, setup.train_shape, setup.train_tasks, pool, {},
                  ranks, device);
    step.set_gradient_hook(hook_);
    Course result;
    step.run(0, c.iterations, [&](int64_t /*iteration*/, const MetaStepResult& got) {
      result.hashes.push_back(step.hashes());
      result.numbers.insert(result.numbers.end(),
                            {got.loss, got.accuracy, static_cast<double>(got.nonfinite)});
      result.numbers.insert(result.numbers.end(), got.measures.begin(), got.measures.end());
      const bool some = got.nonfinite > 0 && got.nonfinite < resolved.config.outer.meta_batch;
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
    EXPECT_EQ(got.replay.loss, expected.replay.loss);
    EXPECT_EQ(got.replay.gradients, expected.replay.gradients);
  }

  TemporaryFolder folder_;
  GradientHook hook_;
  std::shared_ptr<exec::Device> device_ = testing_support::test_device();
};

TEST_F(OnDevice, EveryLearnerTrainsWithTheBitsOfThreads) {
  for (const Case& c : std::vector<Case>{
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
           {"closed form", "omniglot_r2d2", images()}}) {
    expect_equal(course(c, device_), course(c, nullptr), c.name);
  }
}

TEST_F(OnDevice, RanksOfDevicesGiveTheBitsOfOneProcess) {
  for (const auto& [size, tasks] : {std::pair{2, "5"}, std::pair{3, "2"}}) {
    const Case c{"", "sinusoid_maml",
                 tiny() + Words{"runtime.self_check=2", fmt::format("outer.meta_batch={}", tasks)}};
    const Course alone = course(c, nullptr);
    std::vector<Course> courses(static_cast<size_t>(size));
    comm::run_ranks(size, [&](comm::Communicator& ranks) {
      courses[static_cast<size_t>(ranks.rank())] =
          course(c, testing_support::test_device(), &ranks);
    });
    for (Course& got : courses) {
      got.hashes = alone.hashes;  // each rank has those of its own slots
      expect_equal(got, alone, fmt::format("one of {} ranks", size));
    }
  }
}

// The gradient of one slot becomes NaN, which takes that slot out of the sum alone.
TEST_F(OnDevice, LeavesOutTheSlotsThatThreadsLeaveOut) {
  const Case c{"", "sinusoid_maml", tiny()};
  hook_ = [](int64_t, int64_t slot, int64_t first, std::span<float> part) {
    if (slot == 2 && first == 0) part[0] = std::numeric_limits<float>::quiet_NaN();
  };
  const Course got = course(c, device_);
  EXPECT_EQ(got.numbers[2], 1) << "of five slots";
  expect_equal(got, course(c, nullptr), "");
}

// Single tasks, of which the wilder ones diverge: their updates are left out, and Adam's next one
// does not count them.
TEST_F(OnDevice, RefusesTheUpdatesThatThreadsRefuse) {
  const Case c{"",
               "sinusoid_maml",
               {"outer.meta_batch=1", "outer.rate=1e-5", "inner.steps=20", "inner.rate=0.8"},
               12};
  const Course got = course(c, device_);
  EXPECT_GT(got.updates, 2);
  EXPECT_LT(got.updates, c.iterations);
  expect_equal(got, course(c, nullptr), "");
}

TEST_F(OnDevice, LeavesOutTheSlotsThatDivergeOfManyThatDoNot) {
  const Case c{"",
               "sinusoid_maml",
               {"outer.meta_batch=5", "outer.rate=1e-5", "inner.steps=20", "inner.rate=0.8"},
               6};
  const Course got = course(c, device_);
  EXPECT_GT(got.partly_left_out, 0);
  expect_equal(got, course(c, nullptr), "");
}

TEST_F(OnDevice, ASelfCheckInterruptsAndChangesNothing) {
  const Case c{"", "sinusoid_maml", tiny() + Words{"runtime.self_check=3"}, 7};
  expect_equal(course(c, device_), course(c, nullptr), "");
}

}  // namespace
}  // namespace outerloop::train
