// The configs of trainings that come with the program.

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "outerloop/config/algorithms.h"
#include "outerloop/config/print.h"
#include "outerloop/config/read.h"

namespace outerloop::config {
namespace {

std::set<std::filesystem::path> shipped_configs() {
  std::set<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(OUTERLOOP_SOURCE_DIR "/configs")) {
    const bool of_importance = file.path().stem().string().ends_with("_importance");
    if (file.path().extension() == ".yaml" && !of_importance) files.insert(file.path());
  }
  return files;
}

TEST(ShippedConfigs, AreAllRead) {
  const auto files = shipped_configs();
  EXPECT_GE(files.size(), 20u);
  for (const auto& file : files) {
    EXPECT_NO_THROW(read_config(file)) << file;
  }
}

TEST(ShippedConfigs, CoverEveryAlgorithm) {
  std::set<std::string> shipped;
  for (const auto& file : shipped_configs()) {
    shipped.insert(read_config(file).config.learner.algorithm);
  }
  for (const Algorithm& algorithm : kAlgorithms) {
    EXPECT_EQ(shipped.erase(std::string(algorithm.name)), 1u) << algorithm.name;
  }
  EXPECT_TRUE(shipped.empty()) << *shipped.begin();
}

TEST(ShippedConfigs, DifferInWhatTheyCompute) {
  std::set<std::string> hashes;
  for (const auto& file : shipped_configs()) {
    EXPECT_TRUE(hashes.insert(config_hash(read_config(file).config)).second) << file;
  }
}

// But for those whose licences keep them out: tools/datasets/ready_tables.py makes them.
TEST(ShippedConfigs, NameDataThatIsThere) {
  const std::set<std::string> made{"insteval.csv.gz", "remifentanil.csv.gz", "spi.csv.gz",
                                   "us_employment.csv.gz"};
  for (const auto& file : shipped_configs()) {
    const Resolved resolved = read_config(file);
    const std::string& dataset = resolved.config.tasks.dataset;
    if (dataset.empty() || made.contains(dataset)) continue;
    EXPECT_NO_THROW(find_file(resolved.config.tasks.dataset, resolved.folder)) << file;
  }
}

TEST(ShippedConfigs, ScaleFinnsInnerRateToTheMeanLoss) {
  const Config config =
      read_config(OUTERLOOP_SOURCE_DIR "/configs/omniglot_maml_finn_20w1s.yaml").config;
  EXPECT_EQ(config.inner.loss_reduction, LossReduction::mean);
  EXPECT_DOUBLE_EQ(config.inner.rate, 0.1 * static_cast<double>(config.tasks.ways));
}

Config shipped(const std::string& name) {
  return read_config(OUTERLOOP_SOURCE_DIR "/configs/" + name + ".yaml").config;
}

// Nichol et al. 2018, appendix A, 5-way 1-shot.
TEST(ShippedConfigs, TrainReptileByItsPaper) {
  for (const bool transductive : {false, true}) {
    const Config c = shipped(transductive ? "omniglot_reptile_transductive" : "omniglot_reptile");
    EXPECT_EQ(c.learner.transductive, transductive);
    EXPECT_EQ(training_protocol(c), (Protocol{.ways = 5,
                                              .shots = 10,
                                              .queries = 1,
                                              .steps = 5,
                                              .batch = 10,
                                              .rotation = Rotation::as_classes}));
    EXPECT_EQ(test_protocol(c),
              (Protocol{.ways = 5, .shots = 1, .queries = 1, .steps = 50, .batch = 5}));
    EXPECT_EQ(c.inner.optimizer, InnerOptimizer::adam);
    EXPECT_EQ(c.inner.beta1, 0);
    EXPECT_EQ(c.inner.rate, 0.001);
    EXPECT_EQ(c.outer.optimizer, OuterOptimizer::sgd);
    EXPECT_EQ(c.outer.schedule, Schedule::linear);
    EXPECT_EQ(c.outer.rate, 1);
    EXPECT_EQ(c.outer.final_rate, 0);
    EXPECT_EQ(c.outer.iterations, 100000);
    EXPECT_EQ(c.outer.meta_batch, 5);
  }
}

// Snell et al. 2017 and the authors' code.
TEST(ShippedConfigs, TrainPrototypicalNetworksByTheirPaper) {
  for (const bool official : {false, true}) {
    const Config c = shipped(official ? "omniglot_protonet_official" : "omniglot_protonet");
    EXPECT_EQ(training_protocol(c),
              (Protocol{.ways = 60, .shots = 1, .queries = 5, .rotation = Rotation::as_classes}));
    const Protocol test{.ways = 5, .shots = 1, .queries = 15, .rotation = Rotation::as_classes};
    const Protocol within{.ways = 20, .shots = 1, .queries = 5, .within = Within::group};
    EXPECT_EQ(test_protocol(c), official ? within : test);
    EXPECT_TRUE(c.learner.joint_batch);
    EXPECT_EQ(c.outer.schedule, Schedule::step);
    EXPECT_EQ(c.outer.schedule_every, 2000);
    EXPECT_EQ(c.outer.step_factor, 0.5);
    EXPECT_EQ(c.outer.rate, 0.001);
    EXPECT_EQ(c.outer.meta_batch, 1);
  }
}

}  // namespace
}  // namespace outerloop::config
