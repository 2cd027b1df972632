// eval, ckpt, bench and report as their user calls them.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <sstream>

#include "cli/call.h"
#include "cli/process.h"
#include "cli/stored_runs.h"
#include "io/python.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/exec/cuda.h"
#include "support/message_of.h"
#include "train/tiny_runs.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json eval(const fs::path& run, const Words& more = {}) {
  Words words{"eval", run.string(), "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const Result result = call(words);
  EXPECT_EQ(result.code, kDone) << result.error;
  return json::parse(result.out, nullptr, false);
}

TEST(EvalCommand, GivesTheTestOfTheTrainingAgain) {
  for (const fs::path& run : {sine_run(), image_run(), table_run()}) {
    const json summary = json::parse(read_file(run / "summary.json"));
    const json again = eval(run);
    for (const auto& [key, value] : summary["test"].items()) EXPECT_EQ(again[key], value) << key;
    EXPECT_EQ(again["content_hash"], summary["content_hash"]);
    EXPECT_EQ(eval(run, {"runtime.threads=3"})["curve"], again["curve"]);
  }
}

TEST(EvalCommand, PrintsTheSameBytesAgain) {
  const auto printed = [](const Words& more) {
    return call(Words{"eval", image_run().string(), "--json", "--tasks", "12"} + more).out;
  };
  const std::string first = printed({});
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(printed({}), first);
  EXPECT_EQ(printed({"runtime.threads=3"}), first);
  EXPECT_NE(printed({"--seed", "9"}), first);
}

TEST(EvalCommand, TakesAnotherProtocol) {
  const json other = eval(image_run(), {"tasks.ways=2", "test.shots=1", "test.steps=4", "--tasks",
                                        "7", "--split", "validation", "--seed", "5"});
  EXPECT_EQ(other["tasks"], 7);
  EXPECT_EQ(other["curve"].size(), 5u);
  EXPECT_EQ(other["split"], "validation");
  EXPECT_EQ(other["protocol"]["ways"], 2);
  EXPECT_EQ(other["protocol"]["shots"], 1);
  EXPECT_NE(eval(sine_run(), {"--seed", "5"})["loss"], eval(sine_run())["loss"]);
  EXPECT_NE(eval(sine_run(), {"--split", "validation", "--tasks", "60"})["loss"],
            eval(sine_run())["loss"]);
}

// The rows of the test alone are prepared by the training's means and deviations.
TEST(EvalCommand, AnotherTableIsPreparedAsTheOneThatWasLearnedFrom) {
  const fs::path file = fresh_folder("results_other_table") / "test.csv";
  std::string rows;
  for (const std::string& line : lines_of(train::tiny_table())) {
    if (rows.empty() || contains(line, ",test,")) rows += line + "\n";
  }
  write_file_atomically(file, rows);
  const json here = eval(table_run(), {"tasks.dataset=" + file.string()});
  const json there = eval(table_run());
  EXPECT_EQ(here["curve"], there["curve"]);
}

TEST(EvalCommand, WritesTheResultsOfEachTask) {
  const fs::path file = fresh_folder("results_per_task") / "tasks.csv";
  eval(image_run(), {"--per-task", file.string()});
  EXPECT_EQ(read_file(file), read_file(image_run() / "test_tasks.csv"));
  const auto rows = table(file);
  EXPECT_EQ(rows.size(), 21u);
  EXPECT_EQ(rows[0], (Words{"task", "loss_0", "loss_1", "loss_2", "accuracy_0", "accuracy_1",
                            "accuracy_2"}));
  const json test = json::parse(read_file(image_run() / "summary.json"))["test"];
  ASSERT_EQ(test["diverged"], 0);
  const auto mean = [&rows](size_t column) {
    double sum = 0;
    for (size_t i = 1; i < rows.size(); ++i) sum += std::stod(rows[i][column]);
    return sum / static_cast<double>(rows.size() - 1);
  };
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(mean(1 + k), test["curve"][k]["loss"]["mean"], 1e-5) << k;
    EXPECT_NEAR(mean(4 + k), test["curve"][k]["accuracy"]["mean"], 1e-5) << k;
  }
}

// Twenty draws of ten tasks: mean and median are over the means of each task's draws.
TEST(EvalCommand, TheResultsOfATablesTasksGiveItsMeanAndMedian) {
  const auto rows = table(table_run() / "test_tasks.csv");
  ASSERT_EQ(rows.size(), 21u);
  EXPECT_EQ(rows[0], (Words{"task", "name", "loss_0", "loss_1", "loss_2", "loss_3"}));
  std::map<std::string, std::vector<double>> losses;
  for (size_t i = 1; i < rows.size(); ++i) losses[rows[i][1]].push_back(std::stod(rows[i][5]));
  ASSERT_EQ(losses.size(), 10u);
  EXPECT_EQ(losses.count("line1"), 1u);
  std::vector<double> means;
  for (const auto& [name, draws] : losses) {
    ASSERT_EQ(draws.size(), 2u) << name;
    means.push_back((draws[0] + draws[1]) / 2);
  }
  std::ranges::sort(means);
  const json loss = json::parse(read_file(table_run() / "summary.json"))["test"]["loss"];
  EXPECT_EQ(loss["tasks"], 10);
  EXPECT_NEAR(std::accumulate(means.begin(), means.end(), 0.0) / 10, loss["mean"], 1e-5 * means[9]);
  EXPECT_NEAR((means[4] + means[5]) / 2, loss["median"], 1e-5 * means[9]);
}

TEST(EvalCommand, WritesIntoTheRunsFolderButNotOverTheRunsOwnFiles) {
  const fs::path run = train::train_tiny("results_own_files", train::kTinyTable,
                                         {"outer.iterations=5", "validation.every=0"});
  fs::create_directory_symlink(run, run.parent_path() / "link");
  const auto test_into = [&run](const fs::path& file) {
    return call({"eval", run.string(), "--tasks", "2", "--per-task", file.string()});
  };
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(test_into(run / "per_task.csv").code, kDone) << time;
    EXPECT_EQ(test_into(run / "ckpt/mine.csv").code, kDone) << time;
  }
  const fs::path table = run.parent_path() / "tiny.csv";
  const std::string rows = read_file(table);
  EXPECT_CONTAINS(test_into(table).error, "tiny.csv: is read from and would be written over");
  EXPECT_EQ(read_file(table), rows);
  for (const char* own :
       {"run/config.yaml", "run/../link/config.yaml", "run/test_tasks.csv", "run/report.html",
        "run/STOP", "run/ckpt/best", "run/ckpt/ckpt-000000009.h5", "run/log/rank-000.log",
        "run/tensorboard/mine.csv"}) {
    const Result result = test_into(run.parent_path() / own);
    EXPECT_EQ(result.code, kBadInput) << own;
    EXPECT_CONTAINS(result.error, ": belongs to the run " + fs::canonical(run).string() +
                                      "; name a file elsewhere");
  }
  EXPECT_EQ(call({"eval", run.string(), "--tasks", "2"}).code, kDone);
}

TEST(EvalCommand, ShowsTheCurveWithIntervals) {
  const Result result = call({"eval", image_run().string()});
  EXPECT_TRUE(contains(result.out, "20 tasks of the test split, seed 0")) << result.out;
  EXPECT_TRUE(contains(result.out, "±") && contains(result.out, "median")) << result.out;
}

TEST(EvalCommand, OneTaskHasNoInterval) {
  for (const fs::path& run : {sine_run(), image_run()}) {
    const Result result = call({"eval", run.string(), "--tasks", "1", "test.steps=1",
                                "tasks.queries=1", "test.diverged_loss=1e9"});
    EXPECT_EQ(result.code, kDone) << result.error;
    EXPECT_FALSE(contains(result.out, "nan") || contains(result.out, "±")) << result.out;
    EXPECT_TRUE(contains(result.out, run == sine_run()
                                         ? "10 support points, 1 query point, 1 step\n"
                                         : "3 ways, 2 shots, 1 query per class, 1 step\n"))
        << result.out;
    EXPECT_TRUE(result.out.ends_with("\none task: no interval\n")) << result.out;
  }
}

// The lines of `ckpt diff` on two runs that come before those on their newest checkpoints.
TEST(DiffOfRuns, SaysWhereTheyPart) {
  const fs::path folder = fresh_folder("diff_of_runs");
  write_file_atomically(folder / "sine.yaml", train::kTinySine);
  const auto trained = [&folder](const std::string& name, const std::string& word) {
    const Words few{"outer.iterations=12", "validation.every=0", "test.tasks=0",
                    "run_dir=" + (folder / name).string(), word};
    train::train(config::read_config(folder / "sine.yaml", settled(few)), {});
    return folder / name;
  };
  const fs::path run = trained("run", "seed=0"), seed = trained("seed", "seed=5"),
                 longer = trained("longer", "outer.iterations=15"),
                 wide = trained("wide", "outer.meta_batch=9"),
                 without = trained("without", "log.hashes=false");
  struct Case {
    fs::path other;
    int code;
    std::vector<std::string> lines;
  };
  for (const Case& c : std::vector<Case>{
           {run, kDone, {"the hashes of all 12 iterations that both runs logged agree"}},
           {seed,
            kFailed,
            {"runs of different configs: seed is 0 and 5",
             "first divergence: iteration 1, slots 0, 1, 2, 3 and 4 more, tensors "}},
           {longer,
            kFailed,
            {"runs of different configs: outer.iterations is 12 and 15",
             "the hashes of all 12 iterations that both runs logged agree"}},
           {wide,
            kFailed,
            {"runs of different configs: outer.meta_batch is 8 and 9",
             "have other numbers of slots or other parameters: only the newest"}},
           {without, kDone, {"has no hashes.bin (log.hashes): only the newest checkpoints are"}}}) {
    const Result result = call({"ckpt", "diff", run.string(), c.other.string()});
    EXPECT_EQ(result.code, c.code) << result.out << result.error;
    const auto lines = lines_of(result.out);
    for (size_t i = 0; i < c.lines.size(); ++i) EXPECT_CONTAINS(lines.at(i), c.lines[i]);
  }
}

TEST(ReplayCommand, ComputesATaskAgain) {
  const Result result = call({"replay", sine_run().string(), "--iter", "350", "--slot", "3"});
  EXPECT_EQ(result.code, kDone) << result.error;
  EXPECT_CONTAINS(result.out, "iteration 350, slot 3: loss ");
  EXPECT_CONTAINS(result.out, " as in training\nfrom ");
}

TEST(EvalCommand, RefusesInOneLine) {
  for (const Words& words : std::vector<Words>{{"eval", "/no/run"},
                                               {"eval", image_run().string(), "inner.rate=2"},
                                               {"eval", image_run().string(), "test.ways=4"},
                                               {"eval", image_run().string(), "test.shots=50"},
                                               {"eval", image_run().string(), "--split=train"},
                                               {"eval", sine_run().string(), "--checkpoint=x"}}) {
    const Result result = call(words);
    EXPECT_EQ(result.code, kBadInput) << words.back();
    EXPECT_EQ(std::ranges::count(result.error, '\n'), 1) << result.error;
  }
}

TEST(EvalCommand, WithoutTheGpuThatItIsAskedForSaysHowToGoOn) {
  if (!exec::cuda::visible_devices().empty()) GTEST_SKIP() << "this machine has a GPU";
  const Result result = call({"eval", sine_run().string(), "runtime.device=cuda"});
  EXPECT_EQ(result.code, kBadInput);
  EXPECT_CONTAINS(result.error, "set runtime.device=cpu");
  EXPECT_EQ(std::ranges::count(result.error, '\n'), 1) << result.error;
}

TEST(ExportCommand, GivesFilesThatPythonReads) {
  const std::string python = python_with("safetensors.numpy");
  OL_SKIP_WITHOUT(python, "safetensors numpy");
  const fs::path folder = fresh_folder("results_export");
  std::string expected;
  const fs::path best = image_run() / "ckpt/best";
  for (const io::NamedTensor& tensor : checkpoint::read_checkpoint(best).parameters) {
    const std::vector<double> values = tensor.value.to_doubles();
    std::string shape;
    for (const int64_t extent : tensor.value.shape()) shape += fmt::format("{},", extent);
    expected += fmt::format("{} float32 {} {:.9g} {:.9g}\n", tensor.name, shape, values.front(),
                            values.back());
  }
  for (const char* name : {"p.npz", "p.safetensors"}) {
    const std::string file = folder / name;
    ASSERT_EQ(call({"ckpt", "export", best.string(), file}).code, kDone);
    std::vector<std::string> lines = lines_of(run_python(python, R"(
import sys, numpy, safetensors.numpy
name = sys.argv[1]
tensors = numpy.load(name) if name.endswith('npz') else safetensors.numpy.load_file(name)
for key in tensors.keys():
    a = tensors[key]
    print(key, a.dtype, ''.join('%d,' % n for n in a.shape), '%.9g %.9g' % (a.flat[0], a.flat[-1]))
)",
                                                         file));
    std::vector<std::string> wanted = lines_of(expected);
    std::ranges::sort(lines);
    std::ranges::sort(wanted);
    EXPECT_EQ(lines, wanted) << name;
  }
}

TEST(ExportCommand, AModelIsEvaluatedButNotTrainedOn) {
  const fs::path folder = fresh_folder("results_model");
  const fs::path best = sine_run() / "ckpt/best", model = folder / "model.h5";
  ASSERT_EQ(call({"ckpt", "export", best.string(), model.string()}).code, kDone);
  EXPECT_EQ(eval(model)["curve"], eval(sine_run())["curve"]);

  const fs::path config = folder / "sine.yaml";
  write_file_atomically(config, train::kTinySine);
  const Result resumed = call({"train", config.string(), "run_dir=" + (folder / "run").string(),
                               "--resume=" + model.string()});
  EXPECT_EQ(resumed.code, kBadInput);
  EXPECT_TRUE(contains(resumed.error, "an exported model has none")) << resumed.error;
}

fs::path sine_config(const std::string& folder) {
  const fs::path file = fresh_folder(folder) / "sine.yaml";
  write_file_atomically(file, train::kTinySine);
  return file;
}

TEST(BenchCommand, PrintsWhatScriptsRead) {
  const std::string config = sine_config("results_bench");
  const Result result = call({"bench", "meta-step", "--config", config, "--seconds", "0.05",
                              "--json", "--profile", "runtime.threads=1"});
  ASSERT_EQ(result.code, kDone) << result.error;
  const json bench = json::parse(result.out);
  for (const char* key :
       {"tasks_per_s", "meta_steps_per_s", "flops_per_task", "gflops", "fma_peak_gflops",
        "fraction_of_peak", "planned_lane_bytes", "resident_mib", "seconds_to_first_step"}) {
    EXPECT_GT(bench.at(key), 0) << key;
  }
  EXPECT_EQ(bench.at("threads"), 1);
  EXPECT_EQ(bench.at("ranks"), 1);
  EXPECT_EQ(bench.at("sums_by"), "none");
  EXPECT_NEAR(bench.at("tasks_per_s"), 8 * bench.at("meta_steps_per_s").get<double>(), 1e-3);
  double shares = 0;
  for (const char* part : {"draw", "compute", "reduce", "update"}) {
    shares += bench.at("share").at(part).get<double>();
  }
  EXPECT_GT(shares, 0.5);
  EXPECT_LT(shares, 1.01);
  EXPECT_GT(bench.at("profile").size(), 3u);
}

TEST(BenchCommand, PrintsTheSpeedOfCollectivesBySize) {
  const Result result = call(
      {"bench", "comm", "--json", "--ranks", "3", "--most-bytes", "4096", "--seconds", "0.001"});
  ASSERT_EQ(result.code, kDone) << result.error;
  const json bench = json::parse(result.out);
  EXPECT_EQ(bench.at("backend"), "local");
  EXPECT_EQ(bench.at("ranks"), 3);
  std::set<std::pair<std::string, int64_t>> seen;
  for (const json& one : bench.at("results")) {
    seen.emplace(one.at("what"), one.at("bytes"));
    EXPECT_GT(one.at("us"), 0);
    const double share =
        one.at("busbw_gbytes_per_s").get<double>() / one.at("algbw_gbytes_per_s").get<double>();
    if (one.at("what") == "ordered sum") {
      EXPECT_NEAR(share, 4.0 / 3, 1e-6);
    }
  }
  EXPECT_EQ(seen.size(), 10u);  // five collectives of two sizes
  EXPECT_TRUE(seen.contains({"ordered sum", 4096}));
}

TEST(BenchCommand, SaysWhatIsMissingBetweenGpus) {
  const Result result =
      call({"bench", "comm", "--device", "cuda", "--most-bytes", "4096", "--seconds", "0.001"});
  if (result.code == kDone) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_EQ(result.code, kBadInput) << result.error;
  EXPECT_TRUE(contains(result.error, "runtime.device=cpu") || contains(result.error, "driver"))
      << result.error;
}

TEST(TrainCommand, ShowsOriginsAndMemoryWithoutARun) {
  const std::string config = sine_config("results_show");
  const std::string run = fs::path(config).parent_path() / "run";
  const Result origins =
      call({"train", config, "run_dir=" + run, "inner.rate=0.5", "--print-config"});
  ASSERT_EQ(origins.code, kDone) << origins.error;
  EXPECT_TRUE(contains(origins.out, "command line: word 2")) << origins.out;
  EXPECT_TRUE(contains(origins.out, config + ":2:")) << origins.out;
  EXPECT_TRUE(contains(origins.out, "default")) << origins.out;
  const Result memory = call({"train", config, "run_dir=" + run, "--dry-run"});
  ASSERT_EQ(memory.code, kDone) << memory.error;
  EXPECT_TRUE(contains(memory.out, "arena per thread")) << memory.out;
  EXPECT_FALSE(contains(memory.out, "GPU")) << memory.out;
  EXPECT_EQ(memory.error, "");
  std::string wide = "65536";
  for (int layer = 1; layer < 12; ++layer) wide += ",65536";
  const Result too_large =
      call({"train", config, "run_dir=" + run, "model.hidden=[" + wide + "]", "--dry-run"});
  EXPECT_EQ(too_large.code, kDone);
  EXPECT_TRUE(contains(too_large.error, "warning: buffers and data set need ")) << too_large.error;
  EXPECT_EQ(std::ranges::count(too_large.error, '\n'), 1) << too_large.error;
  const Result of_gpu =
      call({"train", config, "run_dir=" + run, "runtime.device=cuda", "--dry-run"});
  EXPECT_TRUE(contains(of_gpu.out, "buffers are those of threads: what a GPU holds"))
      << of_gpu.out << of_gpu.error;
  EXPECT_FALSE(fs::exists(run));
}

TEST(ReportCommand, PrintsWhereTheReportIs) {
  const Result result = call({"report", sine_run().string()});
  EXPECT_EQ(result.code, kDone) << result.error;
  EXPECT_EQ(result.out, (sine_run() / "report.html").string() + "\n");
  EXPECT_TRUE(fs::exists(sine_run() / "report.html"));
  EXPECT_EQ(call({"report", "/no/run"}).code, kBadInput);
}

TEST(ReportCommand, WritesElsewhereWhatItWritesIntoTheRun) {
  const fs::path run = image_run(), own = run / "report.html";
  const fs::path file = fresh_folder("results_report") / "mine.html";
  const auto report_to = [&run](const fs::path& out) {
    return call({"report", run.string(), "--out", out.string()});
  };
  EXPECT_EQ(report_to(file).out, file.string() + "\n");
  EXPECT_EQ(report_to(own).code, kDone);
  EXPECT_EQ(read_file(file), read_file(own));
  EXPECT_CONTAINS(report_to(run.parent_path() / "tiny.h5").error, "is read from");
  EXPECT_CONTAINS(report_to(run / "summary.json").error, "belongs to the run");
  EXPECT_CONTAINS(report_to(sine_run() / "report.html").error, "belongs to the run");
}

}  // namespace
}  // namespace outerloop::cli
