// What a run does on its way: validation, best checkpoint, early stopping, tasks not finite.

#include <fmt/format.h>

#include <optional>

#include "outerloop/base/error.h"
#include "outerloop/train/evaluate_run.h"
#include "support/message_of.h"
#include "support/variable.h"
#include "train/evaluations.h"
#include "train/running.h"
#include "train/tiny_runs.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

TEST_F(Running, ValidationDoesNotChangeTheTrainingAndIsTheSameWheneverItComes) {
  const fs::path often = go("often", {"validation.every=20"});
  const fs::path seldom = go("seldom", {"validation.every=60"});
  const auto without_times = [](nlohmann::json line) {
    line.erase("wall_s");
    line.erase("tasks_per_s");
    return line;
  };
  const auto a = lines_of_kind(often, "train"), b = lines_of_kind(seldom, "train");
  ASSERT_EQ(a.size(), 4u);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(without_times(a[i]), without_times(b[i]));
  const auto c = lines_of_kind(often, "validation"), d = lines_of_kind(seldom, "validation");
  ASSERT_EQ(c.size(), 6u);
  ASSERT_EQ(d.size(), 2u);
  EXPECT_EQ(without_times(c[2]), without_times(d[0]));
  EXPECT_EQ(without_times(c[5]), without_times(d[1]));
}

TEST_F(Running, ValidatesOnTheTasksOfThatSplit) {
  const fs::path run = go("run", {"validation.every=120"});
  const EvaluateOptions options{
      .checkpoint = "last", .split = data::Split::validation, .tasks = 20};
  EXPECT_EQ(lines_of_kind(run, "validation").back()["loss"],
            evaluate_run(run, options).result.loss.back().mean);
}

TEST_F(Running, LogsTheMeanLossOfEachWindow) {
  std::vector<double> seen;
  TrainOptions options;
  options.on_iteration = [&seen](const Progress::Sample& sample) {
    seen.push_back(sample.loss.value());
  };
  train(shipped("sinusoid_maml", folder_ / "run", kShort), options);
  const auto lines = lines_of_kind(folder_ / "run", "train");
  ASSERT_EQ(lines.size(), 4u);
  ASSERT_EQ(seen.size(), 120u);
  for (size_t w = 0; w < lines.size(); ++w) {
    double sum = 0;
    for (size_t i = 0; i < 30; ++i) sum += seen[30 * w + i];
    EXPECT_NEAR(lines[w]["loss"], sum / 30, 1e-12) << w;
  }
}

TEST_F(Running, OfClassesTheMostAccurateIsTheBest) {
  const fs::path run = go_images("run", {"validation.every=10", "outer.rate=0.05"});
  double best = -1, least = 2;
  int64_t at = 0;
  for (const nlohmann::json& line : lines_of_kind(run, "validation")) {
    const double accuracy = line["accuracy"];
    if (accuracy > best) at = line["iteration"];
    best = std::max(best, accuracy);
    least = std::min(least, accuracy);
  }
  EXPECT_GT(best, least);
  EXPECT_EQ(summary_of(run)["best_iteration"], at);
}

// A classifier answers whatever its loss is; a diverged regression says nothing.
TEST_F(Running, DivergedTasksCountInAccuraciesAndNotInLosses) {
  data::save_image_set(data::small_set(), folder_ / "small.h5");
  const Evaluation evaluation(
      shipped("omniglot_maml", folder_ / "run", small_images(folder_ / "small.h5")));
  ThreadPool pool(1);
  const auto evaluator = evaluation.evaluator(pool, nullptr);
  const auto all = evaluator->evaluate(1, data::Split::test, 7, 1e9);
  const auto none = evaluator->evaluate(1, data::Split::test, 7, 1e-9);  // every loss is above
  EXPECT_EQ(all.diverged.back(), 0);
  EXPECT_EQ(all.loss.back().tasks, 7);
  EXPECT_EQ(none.diverged.back(), 7);
  EXPECT_EQ(none.loss.back().tasks, 0);
  EXPECT_EQ(none.accuracy.back().tasks, 7);
  EXPECT_EQ(none.accuracy.back().mean, all.accuracy.back().mean);
}

TEST_F(Running, ThePlaceNeedNotBeUtf8) {
  const fs::path before = fs::current_path();
  const fs::path place = folder_ / "caf\xe9";
  fs::create_directory(place);
  fs::current_path(place);
  const auto result =
      train(shipped("sinusoid_maml", "run", kShort + Words{"outer.iterations=2"}), {});
  fs::current_path(before);
  EXPECT_EQ(result.outcome, Outcome::done);
  EXPECT_EQ(summary_of(place / "run")["iterations"], 2);
}

TEST_F(Running, TheBestCheckpointIsKeptAndTested) {
  // So high a rate that the last is hardly the best.
  const fs::path run = go("run", {"outer.rate=0.2", "validation.every=10", "checkpoint.keep_last=1",
                                  "checkpoint.every=10", "test.diverged_loss=1e30"});
  int64_t best_iteration = 0;
  double best = std::numeric_limits<double>::infinity();
  for (const nlohmann::json& line : lines_of_kind(run, "validation")) {
    if (line["loss_median"] >= best) continue;
    best = line["loss_median"];
    best_iteration = line["iteration"];
  }
  ASSERT_LT(best_iteration, 120) << "choose a config whose last validation is not the best";
  const nlohmann::json summary = summary_of(run);
  EXPECT_EQ(summary["best_iteration"], best_iteration);
  const fs::path file = summary["checkpoint"].get<std::string>();
  EXPECT_EQ(file.filename(), fmt::format("ckpt-{:09}.h5", best_iteration));
  EXPECT_EQ(fs::canonical(run / "ckpt/best"), fs::canonical(file));
  EXPECT_EQ(checkpoint::Store::open_read(run / "ckpt").list().size(), 2u);

  const RunEvaluation again = evaluate_run(run, {});
  EXPECT_EQ(again.iteration, best_iteration);
  EXPECT_EQ(nlohmann::json::parse(to_json_text(again))["curve"], summary["test"]["curve"]);
}

// So high a rate that an early validation stays the best one.
const Words kEarlyBest{"outer.rate=0.2", "validation.every=10", "test.diverged_loss=1e30",
                       "checkpoint.keep_last=1", "checkpoint.every=10"};

TEST_F(Running, TheBestIsRememberedOverRestarts) {
  const fs::path whole = go("whole", kEarlyBest);
  const nlohmann::json expected = summary_of(whole);
  const int64_t best = expected["best_iteration"];
  ASSERT_LT(best, 100) << "choose a config whose best validation comes early";
  const fs::path run = folder_ / "run";
  const config::Resolved resolved = shipped("sinusoid_maml", run, kShort + kEarlyBest);
  train_until(resolved, best + 5);
  // As if a kill had come between the checkpoint and its link.
  fs::remove(run / "ckpt/best");
  train_until(resolved, best + 15);
  EXPECT_EQ(fs::canonical(run / "ckpt/best").filename(), fmt::format("ckpt-{:09}.h5", best));
  train(resolved, {});
  EXPECT_EQ(summary_of(run)["best_iteration"], best);
  EXPECT_EQ(summary_of(run)["content_hash"], expected["content_hash"]);
  EXPECT_EQ(summary_of(run)["test"], expected["test"]);
}

TEST_F(Running, TheBestComesAlongToAnotherFolder) {
  const nlohmann::json expected = summary_of(go("whole", kEarlyBest));
  const int64_t best = expected["best_iteration"];
  train_until(shipped("sinusoid_maml", folder_ / "first", kShort + kEarlyBest), best + 5);
  const TrainOptions options{.resume_from = newest_checkpoint(folder_ / "first")};
  train(shipped("sinusoid_maml", folder_ / "second", kShort + kEarlyBest), options);
  const nlohmann::json summary = summary_of(folder_ / "second");
  EXPECT_EQ(summary["content_hash"], expected["content_hash"]);
  EXPECT_EQ(summary["test"], expected["test"]);
  EXPECT_EQ(fs::path(summary["checkpoint"].get<std::string>()).parent_path(),
            folder_ / "second/ckpt");
}

TEST_F(Running, TheBestOfAnotherRunDoesNotComeAlong) {
  go("whole", kEarlyBest);
  const int64_t best = summary_of(folder_ / "whole")["best_iteration"];
  train_until(shipped("sinusoid_maml", folder_ / "first", kShort + kEarlyBest), best + 5);
  const Words other{"seed=7", fmt::format("outer.iterations={}", best)};
  go("other", kEarlyBest + other);
  const fs::path name = fmt::format("ckpt/ckpt-{:09}.h5", best);
  fs::copy_file(folder_ / "other" / name, folder_ / "first" / name,
                fs::copy_options::overwrite_existing);
  const TrainOptions options{.resume_from = newest_checkpoint(folder_ / "first")};
  train(shipped("sinusoid_maml", folder_ / "second", kShort + kEarlyBest), options);
  EXPECT_CONTAINS(read_file(folder_ / "second/log/rank-000.log"),
                  fmt::format("the best checkpoint so far, of iteration {}, is lost: ", best));
  EXPECT_FALSE(fs::exists(folder_ / "second" / name));
}

TEST_F(Running, ADamagedBestCheckpointIsNamedAndTheLastOneTested) {
  const Words words{"outer.rate=0.2", "validation.every=10", "test.diverged_loss=1e30"};
  const fs::path run = go("run", words);
  const fs::path best = fs::canonical(run / "ckpt/best");
  fs::resize_file(best, fs::file_size(best) / 2);
  fs::remove(run / "summary.json");
  const std::string text = told(shipped("sinusoid_maml", run, kShort + words), LogLevel::warning);
  EXPECT_CONTAINS(text, best.filename().string());
  EXPECT_CONTAINS(text, "the last checkpoint is tested");
  EXPECT_CONTAINS(summary_of(run)["checkpoint"].get<std::string>(), "ckpt-000000120.h5");
}

TEST_F(Running, StopsEarlyWhenValidationNoLongerImproves) {
  // Nothing is learned at rate 0, so no validation improves on the first one.
  const Words words{"outer.rate=0", "validation.every=10", "validation.patience=3"};
  const fs::path run = go("run", words);
  const nlohmann::json summary = summary_of(run);
  EXPECT_EQ(summary["iterations"], 40);
  EXPECT_EQ(summary["early_stopped"], true);
  EXPECT_EQ(summary["best_iteration"], 10);
  // The iterations since the last line are told too.
  EXPECT_EQ(lines_of_kind(run, "train").back()["iteration"], 40);
  const TrainResult again = train(shipped("sinusoid_maml", run, kShort + words), {});
  EXPECT_EQ(again.outcome, Outcome::finished_before);
  EXPECT_EQ(again.iterations, 40);
  EXPECT_EQ(go("patient", {"outer.rate=0", "validation.every=10"}), folder_ / "patient");
  EXPECT_EQ(summary_of(folder_ / "patient")["iterations"], 120);
}

// Or who starts it again after each time limit would do so for ever.
TEST_F(Running, ATimeLimitThatNoTestFitsIntoIsAFailure) {
  std::optional<testing_support::Variable> slurm(std::in_place, "SLURM_JOB_ID", "7");
  const Words words{"test.tasks=2000", "runtime.threads=2"};
  const config::Resolved resolved = shipped("sinusoid_maml", folder_ / "run", kShort + words);
  int asked = 0, stop_at = 130;
  TrainOptions options;
  options.stop_requested = [&] { return ++asked >= stop_at ? "SIGUSR1" : ""; };
  EXPECT_EQ(train(resolved, options).outcome, Outcome::stopped) << "it has trained";
  asked = 0;
  stop_at = 3;
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { train(resolved, options); }),
                  "SIGUSR1 came before the end of the evaluation of iteration 120");
  slurm.reset();
  asked = 0;
  EXPECT_EQ(train(resolved, options).outcome, Outcome::stopped) << "by a person";
  train(resolved, {});
  EXPECT_TRUE(fs::exists(folder_ / "run/summary.json"));
}

TEST_F(Running, ATimeLimitThatNoIterationFitsIntoIsAFailure) {
  const testing_support::Variable slurm("SLURM_JOB_ID", "7");
  const config::Resolved resolved = shipped("sinusoid_maml", folder_ / "run", kShort);
  int asked = 0, stop_at = 11;
  TrainOptions options;
  options.stop_requested = [&] { return ++asked >= stop_at ? "SIGUSR1" : ""; };
  EXPECT_EQ(train(resolved, options).iterations, 10);
  asked = 0;
  stop_at = 1;
  EXPECT_CONTAINS(message_of<SystemFailure>([&] { train(resolved, options); }),
                  "SIGUSR1 came before the end of iteration 11, with which this process began");
  EXPECT_EQ(train(resolved, {}).iterations, 120);
}

TEST_F(Running, TheTestIsGivenUpForAStopAndMadeAgain) {
  const Words words{"test.tasks=2000", "runtime.threads=2"};
  const fs::path whole = go("whole", words);
  const config::Resolved resolved = shipped("sinusoid_maml", folder_ / "run", kShort + words);
  // Asked before each iteration, once after them, then before the tasks of the test.
  int asked = 0;
  TrainOptions options;
  options.stop_requested = [&asked] { return ++asked == 130 ? "SIGTERM" : ""; };
  const TrainResult stopped = train(resolved, options);
  EXPECT_EQ(stopped.outcome, Outcome::stopped);
  EXPECT_EQ(stopped.why, "SIGTERM");
  EXPECT_EQ(stopped.iterations, 120);
  EXPECT_FALSE(fs::exists(folder_ / "run/summary.json"));
  train(resolved, {});
  EXPECT_EQ(summary_of(folder_ / "run")["test"], summary_of(whole)["test"]);
}

TEST_F(Running, ValidationsAndAnEarlyEndAreTold) {
  const Words words{"outer.rate=0", "validation.every=10", "validation.patience=3"};
  const std::string text =
      told(shipped("sinusoid_maml", folder_ / "run", kShort + words), LogLevel::info);
  // The median, too: it decides on the best.
  const nlohmann::json last = lines_of_kind(folder_ / "run", "validation").back();
  EXPECT_CONTAINS(text, fmt::format("iteration {}: validation loss {:.4g} ± ",
                                    last["iteration"].get<int>(), last["loss"].get<double>()));
  EXPECT_CONTAINS(text, fmt::format(" tasks), median {:.4g}", last["loss_median"].get<double>()));
  EXPECT_CONTAINS(text,
                  "stopped early: the last 3 validations brought nothing better than "
                  "iteration 10");
}

TEST_F(Running, ThreadsThatATrainingLeavesIdleAreTold) {
  for (const auto& [threads, idle] :
       {std::pair{"runtime.threads=2", false}, {"runtime.threads=3", true}}) {
    const Words words{"outer.meta_batch=2", "outer.iterations=2", threads};
    const std::string text =
        told(shipped("sinusoid_maml", folder_ / threads, kShort + words), LogLevel::info);
    EXPECT_EQ(text.find("outer.meta_batch = 2: so many of 3 threads train") != std::string::npos,
              idle)
        << text;
  }
}

TEST_F(Running, RowsWithoutATargetAreTold) {
  write_file_atomically(folder_ / "tiny.yaml", kTinyTable);
  const auto text_of = [&](const std::string& name, const std::string& more) {
    write_file_atomically(folder_ / "tiny.csv", tiny_table() + more);
    const Words words{"outer.iterations=1", "run_dir=" + (folder_ / name).string()};
    return told(config::read_config(folder_ / "tiny.yaml", words), LogLevel::info);
  };
  EXPECT_CONTAINS(text_of("some", "line2,train,11,3,x,\nline5,train,12,4,x,\n"),
                  "rows left out, as column height holds nothing there: 2\n");
  EXPECT_EQ(text_of("none", "").find("rows left out"), std::string::npos);
}

TEST_F(Running, InterruptedEarlyStoppingIsTheSame) {
  const Words words{"outer.rate=0", "validation.every=10", "validation.patience=3"};
  const fs::path whole = go("whole", words);
  train_until(shipped("sinusoid_maml", folder_ / "run", kShort + words), 25);
  const fs::path run = go("run", words);
  EXPECT_TRUE(same_checkpoints(newest_checkpoint(whole), newest_checkpoint(run)));
  EXPECT_EQ(lasting_metrics(whole), lasting_metrics(run));
}

TEST_F(Running, TooManyTasksThatAreNotFiniteEndIt) {
  const Words words{"inner.rate=1e30", "stop.max_nonfinite=100", "log.every_iterations=1",
                    "checkpoint.every=10"};
  const std::string message = message_of<SystemFailure>([&] { go("run", words); });
  EXPECT_CONTAINS(message, "104 tasks gave losses or gradients that are not finite");
  EXPECT_CONTAINS(message, "stop.max_nonfinite = 100");
  EXPECT_CONTAINS(read_file(folder_ / "run/log/rank-000.log"), message);
  const auto lines = lines_of_kind(folder_ / "run", "train");
  EXPECT_EQ(lines.size(), 26u);
  EXPECT_EQ(lines.back()["nonfinite"], 104);
  EXPECT_TRUE(lines.back()["loss"].is_null()) << "no task, no loss";
  EXPECT_EQ(newest_checkpoint(folder_ / "run").filename(), "ckpt-000000020.h5");
  EXPECT_EQ(message_of<SystemFailure>([&] { go("run", words); }), message);
}

TEST_F(Running, TooManyInTheLastIterationGiveNoResultAtAnyStart) {
  const Words words{"inner.rate=1e30", "stop.max_nonfinite=100", "outer.iterations=26"};
  for (int start = 0; start < 2; ++start) {
    EXPECT_CONTAINS(message_of<SystemFailure>([&] { go("run", words); }), "104 tasks gave losses");
    EXPECT_FALSE(fs::exists(folder_ / "run/summary.json"));
  }
}

TEST_F(Running, AllTasksMayDivergeInTheEnd) {
  const fs::path run =
      go("run", {"inner.rate=1e30", "stop.max_nonfinite=100000", "outer.iterations=5"});
  const nlohmann::json test = summary_of(run)["test"];
  EXPECT_EQ(test["diverged"], 20);
  EXPECT_EQ(test["diverged_fraction"], 1.0);
  EXPECT_TRUE(test["loss"]["mean"].is_null());
  EXPECT_EQ(test["loss"]["tasks"], 0);
  EXPECT_CONTAINS(describe_summary(RunFolder{run}), "test loss: none, all tasks diverged");
}

}  // namespace
}  // namespace outerloop::train
