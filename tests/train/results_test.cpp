// The results that a run writes, and their evaluation anew.

#include <fmt/format.h>

#include "io/python.h"
#include "outerloop/base/error.h"
#include "outerloop/config/print.h"
#include "outerloop/train/build_info.h"
#include "outerloop/train/evaluate_run.h"
#include "support/message_of.h"
#include "train/running.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

TEST_F(Running, OneTaskHasNoInterval) {
  const fs::path run = go("run", {"outer.iterations=5", "test.tasks=1"});
  EXPECT_CONTAINS(describe_summary(RunFolder{run}), " (one task: no interval), median ");
}

TEST_F(Running, TheSummaryTellsTasksThatDivergedFromDraws) {
  const fs::path run = go("run", {"outer.iterations=5", "test.tasks=3"});
  nlohmann::json summary = summary_of(run);
  summary["test"]["diverged"] = 2;
  for (const auto& [distinct, said] : {std::pair{7, "\n2 of 3 test tasks diverged\n"},
                                       std::pair{2, "\n2 of 3 draws of test tasks diverged\n"}}) {
    summary["test"]["distinct"] = distinct;
    write_file_atomically(run / "summary.json", summary.dump());
    EXPECT_CONTAINS(describe_summary(RunFolder{run}), said);
  }
}

TEST_F(Running, TheSummaryHoldsWhatScriptsRead) {
  const config::Config config =
      shipped("sinusoid_maml", folder_ / "run", kShort + Words{"validation.every=40"}).config;
  const fs::path run = go("run", {"validation.every=40"});
  const nlohmann::json summary = summary_of(run);
  EXPECT_EQ(summary["config_hash"], config::config_hash(config));
  EXPECT_EQ(summary["iterations"], 120);
  EXPECT_EQ(summary["seed"], 0);
  EXPECT_EQ(summary["nonfinite"], 0);
  EXPECT_GT(summary["wall_s"], 0);
  EXPECT_NEAR(summary["tasks_per_s"].get<double>() * summary["wall_s"].get<double>(), 480, 1e-6);
  for (const char* which : {"", "final_"}) {
    const fs::path file = summary[fmt::format("{}checkpoint", which)].get<std::string>();
    EXPECT_TRUE(file.is_absolute()) << file;
    EXPECT_EQ(summary[fmt::format("{}content_hash", which)], checkpoint::content_hash(file));
  }
  const nlohmann::json& loss = summary["test"]["loss"];
  EXPECT_GT(loss["mean"], 0);
  EXPECT_GT(loss["ci95"], 0);
  EXPECT_GT(loss["median"], 0);
  EXPECT_EQ(loss["tasks"].get<int64_t>() + summary["test"]["diverged"].get<int64_t>(), 20);
  EXPECT_EQ(summary["test"]["curve"].size(), 3u);
  EXPECT_FALSE(summary["test"].contains("accuracy"));
}

TEST_F(Running, AccuraciesAreFractionsWithTheirInterval) {
  const fs::path run = go_images("run", {"validation.every=60", "outer.iterations=60"});
  const nlohmann::json accuracy = summary_of(run)["test"]["accuracy"];
  EXPECT_GE(accuracy["mean"], 0);
  EXPECT_LE(accuracy["mean"], 1);
  EXPECT_GT(accuracy["ci95"], 0);
  EXPECT_EQ(accuracy["tasks"], 20);
  const auto validation = lines_of_kind(run, "validation");
  ASSERT_EQ(validation.size(), 1u);
  EXPECT_TRUE(validation[0].contains("accuracy_ci95"));
  EXPECT_TRUE(lines_of_kind(run, "train")[0].contains("accuracy"));
}

TEST_F(Running, AnotherDataSetUnderTheSameNameIsRefused) {
  const Words words{"outer.iterations=60", "validation.every=0"};
  const fs::path run = go_images("run", words);
  data::ImageSet changed = data::small_set();
  changed.pixels[20] ^= 1;
  fs::remove(folder_ / "small.h5");
  data::save_image_set(changed, folder_ / "small.h5");
  const std::string message = message_of<BadInput>([&] { go_images("run", words); });
  EXPECT_CONTAINS(message, "small.h5 has changed since");
  EXPECT_CONTAINS(message, data::fingerprint(changed));
}

TEST_F(Running, EvaluationIsAFunctionOfCheckpointProtocolAndSeed) {
  const fs::path run = go("run", {"validation.every=40"});
  const auto evaluated = [&run](EvaluateOptions options) {
    nlohmann::json json = nlohmann::json::parse(to_json_text(evaluate_run(run, options)));
    return json.dump();
  };
  const std::string first = evaluated({.tasks = 50});
  EXPECT_EQ(evaluated({.tasks = 50, .overrides = {"runtime.threads=1"}}), first);
  EXPECT_EQ(evaluated({.tasks = 50, .overrides = {"runtime.threads=3", "runtime.isa=avx2"}}),
            first);
  EXPECT_NE(evaluated({.tasks = 50, .seed = 7}), first);
  EXPECT_EQ(evaluated({.tasks = 50}), first);

  // A task's result does not depend on how many there are.
  const RunEvaluation few = evaluate_run(run, {.tasks = 3});
  const RunEvaluation many = evaluate_run(run, {.tasks = 50});
  for (size_t step = 0; step < few.result.task_loss.size(); ++step) {
    for (size_t task = 0; task < 3; ++task) {
      EXPECT_EQ(few.result.task_loss[step][task], many.result.task_loss[step][task]);
    }
  }
}

// The config names the set from its own folder, so the manifest alone knows where it lies.
TEST_F(Running, ACheckpointFileOfARunFindsItsDataSet) {
  const fs::path run = folder_ / "run";
  data::save_image_set(data::small_set(), folder_ / "small.h5");
  config::Resolved resolved =
      shipped("omniglot_maml", run,
              kShort + Words{"tasks.dataset=small.h5", "tasks.split=half", "model.filters=3",
                             "model.blocks=2", "tasks.ways=3", "outer.schedule=constant",
                             "outer.iterations=10", "validation.every=0"});
  resolved.folder = folder_ / "";
  train(resolved, {});
  const fs::path file = newest_checkpoint(run);
  EXPECT_EQ(evaluate_run(file, {.tasks = 5}).result.task_loss,
            evaluate_run(run, {.tasks = 5}).result.task_loss);
  fs::copy_file(file, folder_ / "away.h5");
  EXPECT_EQ(evaluate_run(folder_ / "away.h5", {.tasks = 5}).result.tasks, 5)
      << "beside its data set";
}

TEST_F(Running, TheSameDataSetMayLieElsewhere) {
  const Words words{"outer.iterations=20",    "validation.every=0", "tasks.split=half",
                    "model.filters=3",        "model.blocks=2",     "tasks.ways=3",
                    "outer.schedule=constant"};
  const auto resolved = [&](const std::string& run, const std::string& file) {
    return shipped("omniglot_maml", folder_ / run,
                   kShort + words + Words{"tasks.dataset=" + (folder_ / file).string()});
  };
  data::save_image_set(data::small_set(), folder_ / "a.h5");
  train(resolved("whole", "a.h5"), {});
  train_until(resolved("run", "a.h5"), 10);
  fs::rename(folder_ / "a.h5", folder_ / "b.h5");
  EXPECT_EQ(train(resolved("run", "b.h5"), {}).outcome, Outcome::done);
  const auto parameters = [&](const std::string& run) {
    return checkpoint::read_checkpoint(newest_checkpoint(folder_ / run)).parameters;
  };
  for (size_t i = 0; const io::NamedTensor& tensor : parameters("whole")) {
    EXPECT_EQ(tensor.value.to_doubles(), parameters("run")[i++].value.to_doubles()) << tensor.name;
  }
}

TEST(Manifest, NamesTheCommitTheProgramWasBuiltFrom) {
  EXPECT_EQ(build_commit().empty(), !fs::exists(OUTERLOOP_SOURCE_DIR "/.git"));
  config::Config config;
  config.runtime.numerics = config::Numerics::fast;
  const auto manifest = nlohmann::json::parse(describe_run(config, {}, {.hosts = {"here"}}));
  EXPECT_EQ(manifest.at("version"), build_version());
  EXPECT_EQ(manifest.at("commit"), build_commit());
  EXPECT_EQ(manifest.at("numerics"), "fast");
}

// What TensorBoard's own reader finds in the run's folder: "<tag> <step> <value>" lines.
TEST_F(Running, TensorBoardShowsTheMetricsOnceAlsoAfterARestart) {
  const std::string python = python_with("tensorboard");
  OL_SKIP_WITHOUT(python, "tensorboard");
  const Words words{"validation.every=60", "checkpoint.every=60"};
  const TrainOptions back{.resume_from = folder_ / "run/ckpt/ckpt-000000060.h5"};
  train_until(shipped("sinusoid_maml", folder_ / "run", kShort + words), 100);
  train(shipped("sinusoid_maml", folder_ / "run", kShort + words), back);
  std::string expected;
  for (const nlohmann::json& line : metrics_of(folder_ / "run")) {
    expected += fmt::format("{}/loss {} {:.6g}\n", line["kind"].get<std::string>(),
                            line["iteration"].get<int64_t>(), line["loss"].get<double>());
  }
  EXPECT_EQ(run_python(python, R"(
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
reader = EventAccumulator(sys.argv[1] + '/tensorboard')
reader.Reload()
points = [(event.step, tag, event.value) for tag in reader.Tags()['scalars'] if tag.endswith('/loss')
          for event in reader.Scalars(tag)]
for step, tag, value in sorted(points): print(tag, step, '%.6g' % value)
)",
                       folder_ / "run"),
            expected);
}

}  // namespace
}  // namespace outerloop::train
