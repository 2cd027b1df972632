#include <gtest/gtest.h>

#include "outerloop/config/read.h"

namespace outerloop::config {
namespace {

std::vector<std::string> errors(std::vector<std::string> words) {
  try {
    read_config_text("", "a.yaml", words);
  } catch (const ConfigErrors& refused) {
    return refused.lines();
  }
  return {};
}

const std::vector<std::string> kImages{"tasks.family=images", "tasks.dataset=x.h5", "tasks.ways=5",
                                       "tasks.shots=1", "model.kind=conv4"};

std::vector<std::string> image_errors(const std::vector<const char*>& more) {
  std::vector<std::string> words = kImages;
  words.insert(words.end(), more.begin(), more.end());
  return errors(std::move(words));
}

TEST(CrossCheck, AcceptsTheDefaultsAndAnImageRun) {
  EXPECT_TRUE(cross_check(Config{}).empty());
  EXPECT_TRUE(errors(kImages).empty());
}

TEST(CrossCheck, NamesTheKeyAndItsPlace) {
  EXPECT_EQ(errors({"inner.segment=4", "inner.steps=3"}),
            std::vector<std::string>{"command line: word 1: inner.segment: expected 0 (store all) "
                                     "to inner.steps = 3, got 4"});
  EXPECT_EQ(errors({"tasks.family=images"}).size(), 2u);
  EXPECT_EQ(errors({"tasks.family=images"}).at(0).substr(0, 22), "a.yaml: tasks.dataset:");
}

TEST(CrossCheck, RefusesKeysThatDoNotGoTogether) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"tasks.ways=2"},
           {"test.ways=2"},
           {"model.kind=conv4"},
           {"tasks.rotation=per_class"},
           {"tasks.within=group"},
           {"learner.algorithm=protonet"},
           {"inner.batch=11"},
           {"test.batch=11"},
           {"test.shots=5", "inner.batch=8"},
           {"learner.truncation=2"},
           {"learner.algorithm=fomaml", "learner.order=second"},
           {"inner.steps=2", "learner.algorithm=fomaml", "learner.truncation=2"},
           {"inner.steps=2", "learner.algorithm=reptile", "learner.truncation=2"},
           {"inner.steps=2", "learner.order=first", "learner.truncation=2"},
           {"learner.algorithm=imaml", "learner.order=first"},
           {"learner.algorithm=reptile", "learner.order=second"},
           {"learner.algorithm=reptile", "inner.optimizer=adam", "outer.optimizer=adam"},
           {"learner.algorithm=reptile", "inner.optimizer=adam", "outer.optimizer=sgd",
            "outer.rate=1.5"},
           {"learner.joint_batch=true"},
           {"learner.per_step_rate=false"},
           {"learner.algorithm=learned_optimizer", "inner.optimizer=adam"},
           {"learner.algorithm=learned_optimizer", "inner.weight_decay=0.1"},
           {"learner.algorithm=reptile", "learner.learn_rate=true"},
           {"learner.algorithm=imaml", "learner.learn_weight_decay=true"},
           {"learner.algorithm=mamlpp", "test.steps=2"},
           {"learner.multi_step_loss_epochs=1"},
           {"outer.schedule=step"},
           {"outer.warmup=2000"},
           {"validation.every=0", "validation.patience=1"},
           {"runtime.precision=tf32"},
           {"runtime.numerics=fast", "runtime.self_check=10"},
       }) {
    EXPECT_EQ(errors(words).size(), 1u) << words[0];
  }
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"test.ways=1"},
           {"learner.algorithm=protonet", "inner.batch=2"},
           {"learner.algorithm=r2d2", "test.batch=2"},
           {"learner.algorithm=protonet", "learner.order=first"},
           {"learner.algorithm=r2d2", "learner.truncation=1"},
       }) {
    EXPECT_EQ(image_errors(words).size(), 1u) << words[0];
  }
}

TEST(CrossCheck, PrototypesAreOfClasses) {
  EXPECT_EQ(
      errors({"learner.algorithm=protonet"}),
      std::vector<std::string>{"command line: word 1: learner.algorithm: protonet classifies; "
                               "tasks of sinusoid have no classes"});
  EXPECT_TRUE(errors({"learner.algorithm=r2d2"}).empty());
}

TEST(CrossCheck, SaysWhoseKeyItIs) {
  EXPECT_EQ(errors({"learner.joint_batch=true"}),
            std::vector<std::string>{"command line: word 1: learner.joint_batch: has no effect on "
                                     "maml: leave it at false (it is for protonet, r2d2)"});
}

TEST(CrossCheck, TakesDefaultsThatAreWrittenOut) {
  const std::vector<std::string> words{"learner.algorithm=reptile", "learner.order=auto",
                                       "learner.truncation=0", "learner.joint_batch=false"};
  EXPECT_TRUE(errors(words).empty());
}

TEST(CrossCheck, RefusesRangesThatLeaveTheSine) {
  struct Case {
    std::vector<std::string> words;
    std::string error;
  };
  for (
      const auto& [words, error] : std::vector<Case>{
          {{"tasks.sinusoid.x=[-1e9, 1e9]"},
           "command line: word 1: tasks.sinusoid.x: with tasks.sinusoid.phase it gives sines of up "
           "to 1000000000; the largest argument is 8192"},
          {{"tasks.sinusoid.x=[0, 8000]", "tasks.sinusoid.phase=[-200, 0]"},
           "command line: word 1: tasks.sinusoid.x: with tasks.sinusoid.phase it gives sines of up "
           "to 8200; the largest argument is 8192"},
          {{"tasks.family=harmonic", "tasks.harmonic.frequency=[0, 1e3]"},
           "command line: word 2: tasks.harmonic.frequency: with tasks.harmonic.centre and "
           "tasks.harmonic.phase it gives sines of up to 26006.283; the largest argument is 8192"},
          {{"tasks.sinusoid.amplitude=[0, 1e300]"},
           "command line: word 1: tasks.sinusoid.amplitude: expected two numbers from -1e+30 to "
           "1e+30 as [low, high], got [0, 1e300]"},
      }) {
    EXPECT_EQ(errors(words), std::vector<std::string>{error});
  }
  EXPECT_TRUE(errors({"tasks.sinusoid.x=[-8000, 8000]"}).empty());
  EXPECT_TRUE(errors({"tasks.harmonic.frequency=[0, 1e3]"}).empty()) << "not in use";
}

TEST(Protocol, TakesWhatTestDoesNotSayFromTraining) {
  Config config;
  config.tasks.rotation = Rotation::per_class;
  config.inner.steps = 5;
  EXPECT_EQ(test_protocol(config), training_protocol(config));
  config.test.rotation = TestRotation::none;
  config.test.within = TestWithin::group;
  config.test.steps = 10;
  config.test.shots = 3;
  const Protocol protocol = test_protocol(config);
  EXPECT_EQ(protocol.rotation, Rotation::none);
  EXPECT_EQ(protocol.within, Within::group);
  EXPECT_EQ(protocol.steps, 10);
  EXPECT_EQ(protocol.shots, 3);
  EXPECT_EQ(protocol.queries, config.tasks.queries);
}

TEST(Protocol, MapsEveryRotationToItself) {
  Config config;
  config.test.rotation = TestRotation::per_class;
  EXPECT_EQ(test_protocol(config).rotation, Rotation::per_class);
  config.test.rotation = TestRotation::as_classes;
  EXPECT_EQ(test_protocol(config).rotation, Rotation::as_classes);
}

TEST(Protocol, HasNoStepsForClosedForms) {
  Config config;
  config.learner.algorithm = "r2d2";
  config.test.steps = 10;
  EXPECT_EQ(test_protocol(config).steps, 0);
}

}  // namespace
}  // namespace outerloop::config
