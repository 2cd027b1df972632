#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

#include "config/read_text.h"
#include "outerloop/config/print.h"

namespace outerloop::config {
namespace {

std::vector<std::string> errors(std::vector<std::string> words, std::string_view file = "") {
  try {
    read(file, words);
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
  EXPECT_EQ(errors({"seed=1", "tasks.family=images"}).at(0).substr(0, 37),
            "command line: word 2: tasks.dataset: ");
}

TEST(CrossCheck, RefusesColumnsThatAreNamedTwice) {
  for (const std::string key : {"features", "left_out", "categories"}) {
    EXPECT_EQ(errors({"tasks.family=table", "tasks.dataset=x.csv", "tasks.table.target=y",
                      "tasks.table." + key + "=[temp, dewp, temp]"}),
              std::vector<std::string>{"command line: word 4: tasks.table." + key +
                                       ": 'temp' is named twice; name it once"});
  }
}

TEST(CrossCheck, KeepsTheConfigsOfRunsThatNameAColumnTwice) {
  const std::vector<std::string> words{"tasks.family=table", "tasks.dataset=x.csv",
                                       "tasks.table.target=y", "tasks.table.left_out=[temp, dewp]"};
  std::string stored = to_yaml(read("", words).config);
  const size_t place = stored.find("dewp");
  ASSERT_NE(place, stored.npos);
  stored.replace(place, 4, "temp");
  EXPECT_TRUE(errors({}, stored).empty());
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
           {"learner.truncation=1", "learner.algorithm=mamlpp", "inner.steps=5",
            "learner.multi_step_loss_epochs=10"},
           {"learner.algorithm=boil", "model.hidden=[]"},
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
           {"test.ways=6"},
           {"learner.algorithm=protonet", "inner.batch=2"},
           {"learner.algorithm=r2d2", "test.batch=2"},
           {"learner.algorithm=protonet", "learner.order=first"},
           {"learner.algorithm=r2d2", "learner.truncation=1"},
           {"learner.algorithm=mamlpp", "model.norm=batch", "inner.adapt_norm=true"},
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

TEST(CrossCheck, WaysOfTheTestGoByTheLastLayer) {
  EXPECT_EQ(image_errors({"learner.algorithm=anil", "test.ways=6"}),
            std::vector<std::string>{
                "command line: word 7: test.ways: expected tasks.ways = 5 at most, as many as the "
                "last layer of anil has outputs, got 6; protonet and r2d2 have no such layer"});
  for (const char* algorithm : {"learner.algorithm=protonet", "learner.algorithm=r2d2"}) {
    EXPECT_TRUE(image_errors({algorithm, "test.ways=6"}).empty()) << algorithm;
  }
  EXPECT_TRUE(image_errors({"test.ways=3"}).empty());
}

TEST(CrossCheck, LossesOfAllStepsGoWithDerivativesThroughAll) {
  for (const auto& more : std::vector<std::vector<std::string>>{
           {"learner.truncation=0"},
           {"learner.truncation=5"},
           {"learner.truncation=1", "learner.multi_step_loss_epochs=0"}}) {
    std::vector<std::string> words{"learner.algorithm=mamlpp", "inner.steps=5"};
    if (more.size() == 1) words.emplace_back("learner.multi_step_loss_epochs=10");
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_TRUE(errors(words).empty()) << more[0];
  }
}

TEST(CrossCheck, SaysWhoseKeyItIs) {
  EXPECT_EQ(errors({"learner.joint_batch=true"}),
            std::vector<std::string>{
                "command line: word 1: learner.joint_batch: has no effect with learner.algorithm = "
                "maml: leave it at false (it is for protonet, r2d2)"});
}

// A word, and words with which it has no effect and with which it has.
struct Idle {
  std::string word;
  std::string idle;
  std::string read;
};
const std::string kConv4 = " tasks.family=images tasks.dataset=x.h5 tasks.ways=5 model.kind=conv4";
const std::string kTable = " tasks.family=table tasks.dataset=x.csv tasks.table.target=y";
const std::vector<Idle> kIdle{
    {"tasks.dataset=x.csv", "", "tasks.family=table tasks.table.target=y"},
    {"tasks.split=half", kTable, kConv4},
    {"tasks.sinusoid.amplitude=[0,1]", "tasks.family=harmonic", ""},
    {"tasks.harmonic.noise=1", "", "tasks.family=harmonic"},
    {"tasks.table.standardise=false", "", kTable},
    {"model.hidden=[3]", kConv4, ""},
    {"model.filters=3", "", kConv4},
    {"model.blocks=3", "", kConv4},
    {"model.pooling=max", "", kConv4},
    {"model.readout=flatten", "", kConv4},
    {"model.leaky_slope=0.1", "", "model.activation=leaky_relu"},
    {"model.norm_scale=false", "", "model.norm=batch"},
    {"model.norm_shift=false", "", "model.norm=layer"},
    {"model.norm_epsilon=0.1", "", "model.norm=layer"},
    {"model.init_std=0.1", "model.init=he", "model.init=normal"},
    {"model.head_init=he", "learner.algorithm=r2d2", ""},
    {"model.head_init_std=0.1", "learner.algorithm=r2d2", ""},
    {"model.head_init_std=0.1", "model.head_init=he", "model.head_init=normal"},
    {"learner.order=first", "learner.algorithm=reptile", "learner.algorithm=anil"},
    {"learner.truncation=1", "learner.algorithm=fomaml", "learner.algorithm=mamlpp"},
    {"learner.truncation=1", "learner.order=first", "learner.order=second"},
    {"learner.optimizer_hidden=3", "", "learner.algorithm=learned_optimizer"},
    {"learner.joint_batch=true", "learner.algorithm=r2d2 learner.transductive=false",
     "learner.algorithm=r2d2"},
    {"learner.implicit.tolerance=0.5", "", "learner.algorithm=imaml"},
    {"learner.ridge.bias=1", "", "learner.algorithm=r2d2"},
    {"inner.steps=4", "learner.algorithm=r2d2", "learner.algorithm=learned_optimizer"},
    {"inner.segment=1", "learner.algorithm=r2d2", "learner.algorithm=learned_optimizer"},
    {"inner.rate=3", "learner.algorithm=learned_optimizer", "learner.algorithm=reptile"},
    {"inner.momentum=0.5", "", "inner.optimizer=momentum"},
    {"inner.momentum=0.5", "learner.algorithm=r2d2", "inner.optimizer=momentum"},
    {"inner.beta1=0.5", "inner.optimizer=momentum", "inner.optimizer=adam"},
    {"inner.beta2=0.5", "inner.optimizer=momentum", "inner.optimizer=adam"},
    {"inner.epsilon=0.5", "", "inner.optimizer=adam"},
    {"inner.loss_reduction=sum_over_ways", "learner.algorithm=r2d2", ""},
    {"inner.adapt_norm=true", "", "model.norm=layer"},
    {"inner.adapt_norm=true", "model.norm=layer learner.algorithm=anil",
     "model.norm=layer learner.algorithm=boil"},
    {"test.steps=4", "learner.algorithm=r2d2", ""},
    {"outer.epoch=7", "", "learner.algorithm=mamlpp learner.multi_step_loss_epochs=3"},
    {"outer.epoch=7", "learner.algorithm=mamlpp",
     "learner.algorithm=mamlpp learner.multi_step_loss_epochs=3"},
    {"outer.momentum=0.5", "outer.optimizer=adamw", "outer.optimizer=sgd"},
    {"outer.beta1=0.5", "outer.optimizer=sgd", "outer.optimizer=adamw"},
    {"outer.beta2=0.5", "outer.optimizer=sgd", "outer.optimizer=adam"},
    {"outer.epsilon=0.5", "outer.optimizer=sgd", ""},
    {"outer.final_rate=0.5", "outer.schedule=step outer.schedule_every=2", "outer.schedule=linear"},
    {"outer.schedule_every=5", "", "outer.schedule=step"},
    {"outer.step_factor=0.1", "outer.schedule=cosine",
     "outer.schedule=step outer.schedule_every=2"},
};

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

TEST(CrossCheck, RefusesWhatNothingReads) {
  for (const auto& [word, idle, read] : kIdle) {
    const std::string key = word.substr(0, word.find('='));
    const auto refused = errors(split(word + " " + idle));
    ASSERT_EQ(refused.size(), 1u) << word << " " << idle;
    EXPECT_TRUE(refused[0].starts_with("command line: word 1: " + key + ": has no effect with "))
        << refused[0];
    EXPECT_EQ(errors(split(word + " " + read)), std::vector<std::string>{}) << word;
  }
}

TEST(CrossCheck, TakesWhatTheCommandLineLeavesWithoutEffect) {
  const std::string file = "inner: {steps: 5, rate: 0.5}\n";
  EXPECT_TRUE(errors({"learner.algorithm=r2d2"}, file).empty());
  EXPECT_EQ(errors({"learner.algorithm=r2d2", "inner.steps=4"}, file).size(), 1u);
  EXPECT_EQ(errors({}, "learner: {algorithm: r2d2}\n" + file),
            (std::vector<std::string>{
                "a.yaml:2:16: inner.steps: has no effect with learner.algorithm = r2d2: leave it "
                "at 1 (it is for maml, fomaml, anil, boil, meta_sgd, mamlpp, reptile, imaml, "
                "learned_optimizer)",
                "a.yaml:2:25: inner.rate: has no effect with learner.algorithm = r2d2: leave it at "
                "0.01 (it is for maml, fomaml, anil, boil, meta_sgd, mamlpp, reptile, imaml)"}));
}

TEST(CrossCheck, TakesStoredConfigsButNoIdleWordsBesideThem) {
  const std::vector<std::string> words{"learner.algorithm=r2d2"};
  const Config config = read("inner: {steps: 5}\n", words).config;
  const std::string stored = to_yaml(config);
  EXPECT_TRUE(errors({}, stored).empty());
  EXPECT_EQ(errors({"inner.steps=4"}, stored).size(), 1u);
}

TEST(CrossCheck, NamesTheIdleAmongWords) {
  const std::vector<std::string> words{"learner.algorithm=r2d2", "inner.steps=4", "inner.rate=3",
                                       "outer.momentum=0.5"};
  EXPECT_EQ(idle_words("", words), (std::vector<std::string>{"inner.steps", "inner.rate"}));
}

TEST(CrossCheck, ComplainsWhereTheLastOfTheKeysWasSet) {
  const std::string file = "inner: {steps: 5, segment: 4}\n";
  EXPECT_EQ(errors({"seed=1", "inner.steps=3"}, file),
            std::vector<std::string>{
                "command line: word 2: inner.segment: expected 0 (store all) to inner.steps = 3, "
                "got 4 (inner.segment is set at a.yaml:1:28)"});
  EXPECT_EQ(errors({"inner.segment=6"}, file),
            std::vector<std::string>{"command line: word 1: inner.segment: expected 0 (store all) "
                                     "to inner.steps = 5, got 6"});
  EXPECT_EQ(errors({}, "outer:\n  schedule: step\n"),
            std::vector<std::string>{"a.yaml:2:13: outer.schedule_every: outer.schedule is step: "
                                     "set the iterations between two cuts"});
}

TEST(CrossCheck, IsSilentAboutWhatFollowsFromOtherErrors) {
  const std::string images = "tasks: {family: images, ways: 5}\n";
  EXPECT_EQ(errors({}, images).size(), 1u);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"tasks.datset=x.h5"},
           {"tasks.family=image"},
           {"tasks.dataset"},
           {"tasks.dataset=a.h5", "tasks.dataset=b.h5"},
           {"tasks=x"},
       }) {
    EXPECT_EQ(errors(words, images).size(), 1u) << words[0];
  }
  EXPECT_EQ(errors({}, images + "model: {kind: [\n").size(), 1u);
  EXPECT_EQ(errors({"inner.rate=fast"}, images).size(), 2u);
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
  config.inner.batch = 4;
  config.test.steps = 10;
  config.test.batch = 2;
  EXPECT_EQ(test_protocol(config).steps, 0);
  EXPECT_EQ(training_protocol(config).batch, 0);
  EXPECT_EQ(test_protocol(config).batch, 0);
}

}  // namespace
}  // namespace outerloop::config
