// Reports of real runs.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/report/report.h"
#include "outerloop/report/sweep_report.h"
#include "outerloop/train/stored_run.h"
#include "report/gather.h"
#include "train/tiny_runs.h"

namespace outerloop::report {
namespace {

namespace fs = std::filesystem;

TEST(Report, ShowsRowsOfATable) {
  const fs::path run = train::train_tiny("report_table", train::kTinyTable);
  const std::string page = read_file(write(run));
  for (const std::string words : {"height from tiny, 6 rows a task", "true height", "line1",
                                  "on 10 unseen test tasks", "interval over 10 test tasks"}) {
    EXPECT_NE(page.find(words), page.npos) << words;
  }
  EXPECT_EQ(gather(run).task_results.after.size(), 10u) << "of twenty draws";
}

TEST(Report, ShowsFunctionsBeforeAndAfterAdaptation) {
  const fs::path run = train::train_tiny("report_sine", train::kTinySine);
  const ReportData data = gather(run);
  EXPECT_EQ(data.title, "run");
  EXPECT_EQ(data.training.size(), 8u);
  EXPECT_EQ(data.validation.size(), 4u);
  ASSERT_EQ(data.test.size(), 4u);
  EXPECT_EQ(data.task_results.after.size(), 60u);
  ASSERT_EQ(data.curve_tasks.size(), 2u);
  const CurveTask& task = data.curve_tasks.front();
  EXPECT_EQ(task.support.size(), 10u);
  ASSERT_EQ(task.predictions.size(), 3u);  // after 0, 1 and 3 steps
  EXPECT_EQ(task.predictions.back().step, 3);
  // The support points lie on the true function.
  for (const Place& point : task.support) {
    const auto next = std::ranges::lower_bound(task.truth, point.x, {}, &Place::x);
    if (next == task.truth.end()) continue;
    EXPECT_NEAR(next->y, point.y, 5.0 * (next->x - point.x) + 1e-5);
  }
}

// Batch norm: the answer to a query depends on the others, so a dense curve would be none of the
// test's answers.
TEST(Report, ShowsAnswersThatDependOnEachOtherAtTheQueriesOfTheTestAlone) {
  std::string yaml = train::kTinySine;
  yaml.replace(yaml.find("init: he"), 8, "norm: batch, init: he");
  const ReportData data = gather(train::train_tiny("report_coupled", yaml));
  ASSERT_FALSE(data.curve_tasks.empty());
  EXPECT_EQ(data.curve_tasks.front().truth.size(), 10u);
}

TEST(Report, SaysThatReptilesTrainingLossIsOfItsSupport) {
  std::string yaml = train::kTinySine;
  yaml.replace(yaml.find("maml"), 4, "reptile");
  EXPECT_EQ(gather(train::train_tiny("report_reptile", yaml)).training_loss,
            "of a task's last support minibatch, before its step");
}

TEST(Report, IsAFunctionOfTheRunFolder) {
  const fs::path run = train::train_tiny("report_images", train::kTinyImages);
  const fs::path file = write(run);
  EXPECT_EQ(file, run / "report.html");
  const std::string first = read_file(file);
  EXPECT_EQ(read_file(write(run)), first);
  EXPECT_LT(first.size(), 300'000u);
  EXPECT_NE(first.find("data:image/png;base64,"), std::string::npos);
  EXPECT_NE(first.find("After 2 steps"), std::string::npos);
  EXPECT_NE(first.find("batch_statistics of the current batch"), std::string::npos);

  const ReportData data = gather(run);
  ASSERT_EQ(data.image_tasks.size(), 2u);
  EXPECT_EQ(data.image_tasks[0].support.size(), 3u);
  EXPECT_EQ(data.image_tasks[0].support[0].size(), 2u);
  EXPECT_EQ(data.image_tasks[0].queries.size(), 6u);
  EXPECT_EQ(data.image_tasks[0].queries[0].image.pixels.size(), 144u);
}

TEST(Report, DoesWithoutTheDataSet) {
  const fs::path run =
      train::train_tiny("report_no_data", train::kTinyImages, {"outer.iterations=2"});
  fs::remove(run.parent_path() / "tiny.h5");
  const ReportData data = gather(run);
  EXPECT_NE(data.no_examples.find("tiny.h5"), std::string::npos);
  EXPECT_FALSE(data.test.empty());
}

TEST(Report, DoesWithoutADamagedCheckpoint) {
  const fs::path run = train::train_tiny("report_damaged_best", train::kTinySine);
  const auto tested = train::open_run(run).checkpoint_file;
  fs::resize_file(tested, fs::file_size(tested) / 2);
  EXPECT_NE(gather(run).no_examples.find(tested.filename().string()), std::string::npos);
}

TEST(Report, ShowsARunThatIsNotFinished) {
  const fs::path run = train::train_tiny("report_unfinished", train::kTinySine);
  fs::remove(run / "summary.json");
  const ReportData data = gather(run);
  EXPECT_FALSE(data.finished);
  EXPECT_EQ(data.iterations, 400);
  EXPECT_EQ(data.curve_tasks.size(), 2u);
  EXPECT_NE(read_file(write(run)).find("no test yet"), std::string::npos);
}

TEST(Report, CarriesTheNameOfItsFolder) {
  const fs::path run = train::train_tiny("report_name", train::kTinySine);
  const fs::path moved = run.parent_path() / "moved";
  fs::remove_all(moved);
  fs::rename(run, moved);
  EXPECT_EQ(gather(moved).title, "moved");
  EXPECT_EQ(gather(moved / "").title, "moved");
}

// The message of reporting a run whose file holds this text.
std::string complaint(const fs::path& run, const char* file, const std::string& text) {
  const std::string before = read_file(run / file);
  write_file_atomically(run / file, text);
  std::string message;
  try {
    write(run);
  } catch (const BadInput& error) {
    message = error.what();
  }
  write_file_atomically(run / file, before);
  return message;
}

TEST(Report, NamesTheFileThatIsDamaged) {
  const fs::path run = train::train_tiny("report_damage", train::kTinySine);
  const auto expect = [&](const char* file, const std::string& text, const std::string& message) {
    EXPECT_EQ(complaint(run, file, text), (run / file).string() + ": damaged: " + message);
  };
  const std::string other_type = "a value is of another type than was written";
  expect("summary.json", "{", "it is no JSON");
  expect("summary.json", "[]", other_type);
  expect("summary.json", R"({"test":3})", other_type);
  expect("metrics.jsonl", R"({"iteration":"x"})", other_type);
  expect("test_tasks.csv", "task,loss_0\n0,four\n", "expected a number, got 'four'");
  expect("test_tasks.csv", "task,loss_0\n0,4\n", "no column loss_3");
  EXPECT_EQ(complaint(run, "metrics.jsonl", R"({"iteration":)"), "");  // half a line is no damage
}

TEST(Report, OfASweepSaysWhatItsLossesAreAndHowManyTasksDiverged) {
  sweep::Table table{.keys = {"inner.rate"},
                     .measure = "loss",
                     .statistic = "median",
                     .validated = true,
                     .points = 1,
                     .done = 1};
  table.settings = {{.values = {"0.1"},
                     .score = {.mean = 3, .half = 1, .seeds = 1},
                     .test = {.mean = 4, .half = 1, .seeds = 1},
                     .seeds = {{.score = 3, .test = 4, .diverged = 7, .tasks = 600}},
                     .planned = 1}};
  const sweep::SweepFolder folder{fresh_folder("report_sweep")};
  const auto page_of = [&] { return read_file(write_sweep(folder, table).front()); };
  const std::string page = page_of();
  for (const char* words : {"<th>best median validation loss</th>", "<th>median test loss</th>",
                            "<th>diverged</th>", "<td>7 of 600</td>"}) {
    EXPECT_NE(page.find(words), page.npos) << words;
  }
  table.settings[0].seeds[0].diverged = 0;
  EXPECT_EQ(page_of().find("diverged"), page.npos);
}

TEST(Report, RefusesWhatIsNoRunFolder) {
  EXPECT_THROW(write("/no/such/run"), BadInput);
  EXPECT_THROW(write(fresh_folder("report_nothing")), BadInput);
}

}  // namespace
}  // namespace outerloop::report
