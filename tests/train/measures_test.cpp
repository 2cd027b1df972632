// What a learner reports of its own reaches the user: of iMAML, whether its systems were solved.

#include <optional>

#include "data/image_sets.h"
#include "support/message_of.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

class ImplicitRun : public testing::Test {
 protected:
  config::Resolved config(const std::string& name, const Words& words) const {
    return shipped("sinusoid_maml", folder_ / name,
                   Words{"inner.steps=3", "outer.iterations=60", "outer.meta_batch=4",
                         "validation.every=0", "test.tasks=0", "log.every_iterations=20"} +
                       words);
  }

  // Everything of level warning.
  std::string go(const std::string& name, const Words& words) const {
    return told(config(name, words), LogLevel::warning);
  }

  TemporaryFolder folder_;
};

// A weak pull leaves the support loss's own curvature, which has negative directions.
const Words kWeak{"learner.algorithm=imaml", "learner.implicit.lambda=0.01",
                  "learner.implicit.iterations=3"};
const Words kStrong{"learner.algorithm=imaml", "learner.implicit.lambda=1000",
                    "learner.implicit.iterations=8", "inner.rate=0.0001"};

TEST_F(ImplicitRun, ThatDoesNotSolveItsSystemsSaysSo) {
  const std::string warnings = go("run", kWeak);
  EXPECT_CONTAINS(warnings, "negative_curvature is ");
  EXPECT_CONTAINS(warnings, "raise learner.implicit.lambda");
  EXPECT_EQ(warnings.find("negative_curvature"), warnings.rfind("negative_curvature"))
      << "said more than once";
  const auto lines = metrics_of(folder_ / "run");
  ASSERT_EQ(lines.size(), 3u);
  double curvature = 0;
  double residual = 0;
  for (const nlohmann::json& line : lines) {
    EXPECT_GE(line["negative_curvature"], 0);
    EXPECT_LE(line["negative_curvature"], 1);
    EXPECT_GT(line["solver_residual"], 0);
    curvature += line["negative_curvature"].get<double>() / 3;
    residual += line["solver_residual"].get<double>() / 3;
  }
  EXPECT_GT(curvature, 0);
  // The run's means: its three windows are equally long.
  const nlohmann::json summary = summary_of(folder_ / "run");
  EXPECT_NEAR(summary["negative_curvature"], curvature, 1e-12);
  EXPECT_NEAR(summary["solver_residual"], residual, 1e-12 * (1 + residual));
}

TEST_F(ImplicitRun, ThatSolvesThemWarnsOfNothing) {
  EXPECT_EQ(go("run", kStrong), "");
  const nlohmann::json summary = summary_of(folder_ / "run");
  EXPECT_EQ(summary["negative_curvature"], 0);
  EXPECT_LT(summary["solver_residual"], 1e-3);
}

TEST_F(ImplicitRun, GoesOnWithItsSums) {
  go("whole", kWeak);
  train_until(config("pieces", kWeak), 27);
  go("pieces", kWeak);
  EXPECT_TRUE(same_checkpoints(newest_checkpoint(folder_ / "whole"),
                               newest_checkpoint(folder_ / "pieces")));
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "pieces"));
  for (const char* name : {"negative_curvature", "solver_residual"}) {
    EXPECT_EQ(summary_of(folder_ / "whole")[name], summary_of(folder_ / "pieces")[name]);
  }
}

TEST_F(ImplicitRun, IsTheOnlyOneWithSuchNumbers) {
  go("run", {"learner.algorithm=maml"});
  EXPECT_FALSE(metrics_of(folder_ / "run").back().contains("solver_residual"));
  EXPECT_FALSE(summary_of(folder_ / "run").contains("solver_residual"));
}

// Reptile adapts in training and asks nothing.
TEST(TrainingAccuracy, IsToldWhereQueriesAreAnswered) {
  const TemporaryFolder folder;
  data::save_image_set(data::small_set(), folder / "small.h5");
  for (const std::string name : {"omniglot_reptile", "omniglot_maml"}) {
    TrainOptions options;
    std::optional<double> shown;
    options.on_iteration = [&shown](const Progress::Sample& sample) { shown = sample.accuracy; };
    train(shipped(name, folder / name,
                  {"tasks.dataset=" + (folder / "small.h5").string(), "tasks.split=half",
                   "tasks.ways=3", "tasks.shots=1", "inner.batch=2", "test.batch=2",
                   "model.filters=3", "model.blocks=2", "inner.steps=2", "test.steps=2",
                   "outer.iterations=4", "outer.meta_batch=2", "outer.schedule=constant",
                   "validation.every=4", "validation.tasks=3", "test.tasks=3"}),
          options);
    const bool answers = name == "omniglot_maml";
    EXPECT_EQ(shown.has_value(), answers) << name;
    for (const nlohmann::json& line : metrics_of(folder / name)) {
      EXPECT_EQ(line.contains("accuracy"), answers || line["kind"] == "validation") << line;
    }
  }
}

}  // namespace
}  // namespace outerloop::train
