// The configs that come with the program.

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "outerloop/config/print.h"
#include "outerloop/config/read.h"

namespace outerloop::config {
namespace {

std::set<std::filesystem::path> shipped_configs() {
  std::set<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(OUTERLOOP_SOURCE_DIR "/configs")) {
    if (file.path().extension() == ".yaml") files.insert(file.path());
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
  std::set<std::string> algorithms;
  for (const auto& file : shipped_configs()) {
    algorithms.insert(read_config(file).config.learner.algorithm);
  }
  EXPECT_EQ(algorithms, (std::set<std::string>{"maml", "fomaml", "anil", "boil", "meta_sgd",
                                               "mamlpp", "reptile", "imaml", "protonet", "r2d2"}));
}

TEST(ShippedConfigs, DifferInWhatTheyCompute) {
  std::set<std::string> hashes;
  for (const auto& file : shipped_configs()) {
    EXPECT_TRUE(hashes.insert(config_hash(read_config(file).config)).second) << file;
  }
}

TEST(ShippedConfigs, NameDataThatIsThere) {
  for (const auto& file : shipped_configs()) {
    const Resolved resolved = read_config(file);
    if (resolved.config.tasks.dataset.empty()) continue;
    EXPECT_NO_THROW(find_file(resolved.config.tasks.dataset, resolved.folder)) << file;
  }
}

TEST(ShippedConfigs, ScaleFinnsInnerRateToTheMeanLoss) {
  const Config config =
      read_config(OUTERLOOP_SOURCE_DIR "/configs/omniglot_maml_finn_20w1s.yaml").config;
  EXPECT_EQ(config.inner.loss_reduction, LossReduction::mean);
  EXPECT_DOUBLE_EQ(config.inner.rate, 0.1 * static_cast<double>(config.tasks.ways));
}

}  // namespace
}  // namespace outerloop::config
