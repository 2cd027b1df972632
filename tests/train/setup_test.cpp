// From a config's keys to its tasks, which are drawn as they say.

#include "outerloop/train/setup.h"

#include "data/image_sets.h"
#include "outerloop/data/image_file.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

class Tasks : public testing::Test {
 protected:
  Tasks() { data::save_image_set(data::small_set(), folder_ / "small.h5"); }

  // The first tasks that a training draws, and those of its test.
  struct Drawn {
    std::vector<data::TaskDescription> training, test;
  };
  Drawn drawn(const std::string& config, const Words& words) const {
    const config::Resolved resolved = shipped(config, folder_ / "run", words);
    const train::Setup setup = make_setup(resolved.config, resolved.folder);
    Drawn tasks;
    for (uint32_t slot = 0; slot < 20; ++slot) {
      tasks.training.push_back(
          setup.train_tasks->describe({.seed = 1, .split = data::Split::train, .slot = slot}));
      tasks.test.push_back(
          setup.test_tasks->describe({.seed = 1, .split = data::Split::test, .slot = slot}));
    }
    return tasks;
  }
  Drawn of_images(const Words& words) const {
    return drawn("omniglot_maml", small_images(folder_ / "small.h5") + words);
  }

  static double value(const data::TaskDescription& task, const std::string& name) {
    for (const auto& [key, value] : task.parameters) {
      if (key == name) return value;
    }
    ADD_FAILURE() << "a task has no " << name;
    return 0;
  }
  static size_t turned(const std::vector<data::TaskDescription>& tasks) {
    size_t count = 0;
    for (const auto& task : tasks) {
      for (const std::string& name : task.class_names) {
        count += name.find("turned") != std::string::npos;
      }
    }
    return count;
  }

  TemporaryFolder folder_;
};

TEST_F(Tasks, SinusoidsHaveTheirRanges) {
  const Drawn tasks = drawn("sinusoid_maml",
                            {"tasks.sinusoid.amplitude=[2, 2]", "tasks.sinusoid.phase=[0.5, 0.5]"});
  for (const auto& task : tasks.training) {
    EXPECT_FLOAT_EQ(static_cast<float>(value(task, "amplitude")), 2);
    EXPECT_FLOAT_EQ(static_cast<float>(value(task, "phase")), 0.5F);
  }
}

TEST_F(Tasks, ImagesTurnWhereTheyAreToldTo) {
  const Drawn none = of_images({"tasks.rotation=none"});
  EXPECT_EQ(turned(none.training) + turned(none.test), 0u);
  const Drawn all = of_images({"tasks.rotation=per_class"});
  EXPECT_GT(turned(all.training), 20u);
  EXPECT_GT(turned(all.test), 20u);
  const Drawn training = of_images({"tasks.rotation=per_class", "test.rotation=none"});
  EXPECT_GT(turned(training.training), 20u);
  EXPECT_EQ(turned(training.test), 0u);
}

TEST_F(Tasks, ClassesComeFromOneGroupWhereTheyAreToldTo) {
  for (const auto& task : of_images({"tasks.within=group"}).training) EXPECT_NE(task.group, "");
  for (const auto& task : of_images({}).training) EXPECT_EQ(task.group, "");
}

TEST_F(Tasks, TheTestHasItsOwnShape) {
  const Drawn tasks = of_images({"test.ways=2"});
  EXPECT_EQ(tasks.training[0].class_names.size(), 3u);
  EXPECT_EQ(tasks.test[0].class_names.size(), 2u);
}

// Before anything of the run is written.
TEST_F(Tasks, OfATestThatTheLearnerCannotSolveAreRefused) {
  config::Resolved resolved =
      shipped("omniglot_maml", folder_ / "run", small_images(folder_ / "small.h5"));
  EXPECT_NO_THROW(make_training_setup(resolved));
  resolved.config.test.ways = 4;
  EXPECT_THROW(make_training_setup(resolved), BadInput);
}

}  // namespace
}  // namespace outerloop::train
