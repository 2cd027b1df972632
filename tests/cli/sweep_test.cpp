// Sweeps worked off by processes: several workers, interruptions, failures, two hundred points.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>

#include "cli/call.h"
#include "cli/process.h"
#include "cli/program.h"
#include "io/temporary_folder.h"
#include "outerloop/sweep/state.h"
#include "support/message_of.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;
using sweep::SweepFolder;

const std::string kTiny = R"(
  outer.meta_batch: 2
  model.hidden: [4]
  test.tasks: 4
  validation.tasks: 4
  report.write: false
)";

class Sweep : public testing::Test {
 protected:
  SweepFolder planned(const std::string& name, const std::string& spec) {
    std::ofstream(folder_ / "base.yaml") << "tasks: {shots: 4, queries: 4}\n";
    std::ofstream(folder_ / "spec.yaml") << "config: base.yaml\nset:" << kTiny << spec;
    SweepFolder sweep{folder_ / name};
    const Result result =
        call({"sweep", "plan", (folder_ / "spec.yaml").string(), "--out", sweep.root.string()});
    EXPECT_EQ(result.code, kDone) << result.error;
    return sweep;
  }
  static Words run_words(const SweepFolder& sweep, const Words& more = {}) {
    return Words{"sweep", "run", sweep.root.string()} + more;
  }
  static std::string status(const SweepFolder& sweep) {
    return call({"sweep", "status", sweep.root.string()}).out;
  }
  static std::map<std::string, std::string> reports(const SweepFolder& sweep) {
    const Result result = call({"sweep", "report", sweep.root.string()});
    EXPECT_EQ(result.code, kDone) << result.error;
    std::map<std::string, std::string> texts;
    for (const char* kind : {"html", "csv", "json"}) texts[kind] = read_file(sweep.report(kind));
    return texts;
  }
  // How many results there are.
  static size_t finished(const SweepFolder& sweep) {
    if (!fs::exists(sweep.points())) return 0;
    size_t count = 0;
    for (const auto& run : fs::directory_iterator(sweep.points())) {
      count += fs::exists(run.path() / "summary.json");
    }
    return count;
  }

  TemporaryFolder folder_;
};

TEST_F(Sweep, TwoHundredPoints) {
  const SweepFolder sweep =
      planned("sweep",
              "  outer.iterations: 3\n  validation.every: 0\n"
              "grid:\n  inner.rate: {from: 1e-3, to: 1, points: 10, scale: log}\n"
              "  inner.steps: {from: 1, to: 5}\nseeds: 4\n");
  const Ended ended = run_process(run_words(sweep, {"-j", "2"}));
  EXPECT_EQ(ended.code, kDone) << ended.error;
  EXPECT_EQ(ended.out, "200 done, 0 failed, 0 with other workers\n");
  EXPECT_EQ(status(sweep), "200 points: 200 done, 0 failed, 0 running, 0 interrupted, 0 waiting\n");
  const std::string csv = reports(sweep).at("csv");
  EXPECT_EQ(std::ranges::count(csv, '\n'), 51);
}

const std::string kSmall =
    "  outer.iterations: 20\n  validation.every: 10\n"
    "grid: {inner.rate: [0.01, 0.1], model.activation: [relu, tanh]}\nseeds: 2\n";

TEST_F(Sweep, OneWorkerAndFourGiveTheSameReportBytesAndShareThePoints) {
  const SweepFolder alone = planned("alone", kSmall);
  EXPECT_EQ(run_process(run_words(alone)).code, kDone);
  const SweepFolder shared = planned("a-folder-of-another-name", kSmall);
  std::vector<std::unique_ptr<Process>> workers;
  for (int i = 0; i < 4; ++i) workers.push_back(std::make_unique<Process>(run_words(shared)));
  size_t trainings = 0;
  for (const auto& worker : workers) {
    const Ended ended = worker->wait();
    EXPECT_EQ(ended.code, kDone) << ended.error;
    for (size_t at = 0; (at = ended.error.find("done: point ", at)) != std::string::npos; ++at) {
      ++trainings;
    }
  }
  EXPECT_EQ(trainings, 8U) << "each point once";
  const auto expected = reports(alone);
  EXPECT_EQ(reports(shared), expected);
  EXPECT_CONTAINS(expected.at("html"), "Sweep over inner.rate, model.activation");
  EXPECT_CONTAINS(expected.at("html"), "95 % interval");
  EXPECT_CONTAINS(expected.at("html"), "best median validation loss of the best setting");
  EXPECT_EQ(expected.at("html").find("http"), std::string::npos) << "needs the network";
}

TEST_F(Sweep, ShardsTakeTheirPointsAlone) {
  const SweepFolder sweep = planned("sweep", kSmall);
  for (const auto& [shard, points] : {std::pair{"0/3", 3}, {"1/3", 3}, {"2/3", 2}}) {
    const Ended ended = run_process(run_words(sweep, {"--shard", shard}));
    EXPECT_EQ(ended.out, fmt::format("{} done, 0 failed, 0 with other workers\n", points));
  }
  EXPECT_CONTAINS(status(sweep), "8 points: 8 done");
}

const std::string kLong = "  outer.iterations: 1000000000\n  validation.every: 0\nseeds: 3\n";

// As soon as two trainings are under way.
bool two_have_begun(const SweepFolder& sweep) {
  int begun = 0;
  for (const auto& point : sweep::read_plan(sweep).points) {
    std::error_code none;
    begun += fs::file_size(sweep.run(point).metrics(), none) > 0 && !none;
  }
  return begun == 2;
}

TEST_F(Sweep, AStopEndsTheTrainingsWithCheckpoints) {
  const SweepFolder sweep = planned("sweep", kLong);
  for (const int signal : {SIGINT, SIGTERM}) {
    Process worker(run_words(sweep, {"-j", "2"}));
    ASSERT_TRUE(worker.await([&] { return two_have_begun(sweep); }));
    worker.kill(signal);
    const Ended ended = worker.wait();
    EXPECT_EQ(ended.code, kStopped) << ended.error;
    EXPECT_CONTAINS(ended.error, "stopped; the same command goes on\n");
    EXPECT_EQ(status(sweep), "3 points: 0 done, 0 failed, 0 running, 2 interrupted, 1 waiting\n");
    for (const auto& point : sweep::read_plan(sweep).points) fs::remove(sweep.run(point).metrics());
  }
}

TEST_F(Sweep, AtTheEndOfItsTimeTheTrainingsStopToo) {
  const SweepFolder sweep = planned("sweep", kLong);
  const Ended ended = run_process(run_words(sweep, {"-j", "2", "--max-wall", "3s"}));
  EXPECT_EQ(ended.code, kStopped) << ended.error;
  EXPECT_EQ(status(sweep), "3 points: 0 done, 0 failed, 0 running, 2 interrupted, 1 waiting\n");
}

TEST_F(Sweep, TheTrainingsOfAKilledWorkerStopToo) {
  const SweepFolder sweep = planned("sweep", kLong);
  Process worker(run_words(sweep, {"-j", "2"}));
  ASSERT_TRUE(worker.await([&] { return two_have_begun(sweep); }));
  EXPECT_CONTAINS(status(sweep), "2 running");
  worker.kill(SIGKILL);
  worker.wait();
  const auto still_running = [&] { return call({"sweep", "status", sweep.root.string()}).out; };
  for (int i = 0; i < 1000 && !contains(still_running(), " 0 running"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_CONTAINS(status(sweep), "0 running, 2 interrupted");
}

TEST_F(Sweep, InterruptedItGoesOnToTheSameReport) {
  const std::string spec =
      "  outer.iterations: 10000\n  validation.every: 5000\ngrid: {inner.rate: [0.01, "
      "0.1]}\nseeds: 2\n";
  const SweepFolder whole = planned("whole", spec);
  EXPECT_EQ(run_process(run_words(whole, {"-j", "2"})).code, kDone);
  const SweepFolder sweep = planned("sweep", spec);
  Process worker(run_words(sweep));
  ASSERT_TRUE(worker.await([&] { return finished(sweep) == 1; }));
  worker.kill(SIGTERM);
  EXPECT_EQ(worker.wait().code, kStopped);
  const Ended rest = run_process(run_words(sweep, {"-j", "3"}));
  EXPECT_EQ(rest.code, kDone) << rest.error;
  EXPECT_EQ(reports(sweep), reports(whole));
}

TEST_F(Sweep, AFailedPointIsKeptWithItsFirstErrorLineUntilRetried) {
  const SweepFolder sweep = planned("sweep", "  outer.iterations: 2\nseeds: 2\n");
  const auto points = sweep::read_plan(sweep).points;
  fs::create_directories(sweep.points());
  std::ofstream(sweep.run(points[0]).root) << "a file where a folder should be";
  const Ended ended = run_process(run_words(sweep));
  EXPECT_EQ(ended.code, kFailed);
  EXPECT_EQ(ended.out, "1 done, 1 failed, 0 with other workers\n");
  const std::string listed = status(sweep);
  EXPECT_CONTAINS(listed, "2 points: 1 done, 1 failed, 0 running, 0 interrupted, 0 waiting\n");
  EXPECT_CONTAINS(listed, "point 0 (seed=0): error: run_dir ");
  fs::remove(sweep.run(points[0]).root);
  EXPECT_EQ(run_process(run_words(sweep)).code, kFailed) << "not tried again by itself";
  EXPECT_EQ(call({"sweep", "retry", sweep.root.string()}).out, "1 failed points will run again\n");
  EXPECT_EQ(run_process(run_words(sweep)).code, kDone);
}

// Flips the lowest bit of a character.
void flip(const fs::path& file, size_t place) {
  std::string content = read_file(file);
  content[place] = static_cast<char>(content[place] ^ 1);
  std::ofstream(file, std::ios::binary) << content;
}

TEST_F(Sweep, AResultThatDoesNotVerifyIsMadeAgain) {
  const SweepFolder sweep = planned(
      "sweep", "  outer.iterations: 12\n  outer.rate: 0.1\n  validation.every: 1\nseeds: 6\n");
  EXPECT_EQ(run_process(run_words(sweep)).code, kDone);
  const auto before = reports(sweep);
  const auto points = sweep::read_plan(sweep).points;
  const auto name_of = [&](const sweep::Point& point, const char* link) {
    return fs::read_symlink(sweep.run(point).checkpoints() / link);
  };
  // Where the best is not the last, the last does not give the same result.
  const auto point = std::ranges::find_if(
      points, [&](const auto& one) { return name_of(one, "best") != name_of(one, "latest"); });
  ASSERT_NE(point, points.end());
  const train::RunFolder run = sweep.run(*point);
  const std::pair<const char*, std::function<void()>> damages[] = {
      {"a hash of the summary",
       [&] {
         const std::string key = "\"content_hash\": \"";
         flip(run.summary(), read_file(run.summary()).find(key) + key.size());
       }},
      {"a byte of the best checkpoint",
       [&] {
         const fs::path best = run.checkpoints() / name_of(*point, "best");
         flip(best, fs::file_size(best) / 2);
       }},
      {"the best checkpoint is gone",
       [&] { fs::remove(run.checkpoints() / name_of(*point, "best")); }},
      {"the last checkpoint is gone",
       [&] { fs::remove(run.checkpoints() / name_of(*point, "latest")); }},
  };
  for (const auto& [name, damage] : damages) {
    damage();
    EXPECT_CONTAINS(status(sweep), "5 done, 0 failed, 0 running, 1 interrupted");
    const Ended ended = run_process(run_words(sweep));
    EXPECT_EQ(ended.code, kDone) << name << ended.error;
    EXPECT_CONTAINS(ended.error, " begins anew: ");
    EXPECT_EQ(reports(sweep), before) << name;
  }
}

// A running program knows its own place so.
std::string without_links(const fs::path& path) {
  return fs::canonical(path).string();
}

TEST_F(Sweep, NamesOfTheProgramsDataSetsStay) {
  std::ofstream(folder_ / "images.yaml") << "model: {kind: conv4}\ntasks: {family: images, ways: "
                                            "5, dataset: datasets/omniglot28.h5}\n";
  std::ofstream(folder_ / "images_spec.yaml") << "config: images.yaml\nseeds: 2\n";
  const SweepFolder sweep{folder_ / "images"};
  const Ended planned = run_process(
      {"sweep", "plan", (folder_ / "images_spec.yaml").string(), "--out", sweep.root.string()});
  EXPECT_EQ(planned.code, kDone) << planned.error;
  const std::string base = read_file(sweep.base());
  EXPECT_NE(base.find("datasets/omniglot28.h5"), base.npos);
  EXPECT_EQ(base.find("/datasets/omniglot28.h5"), base.npos) << "a place of this host";
}

TEST_F(Sweep, SubmitShowsTheCommandOfTheArray) {
  const SweepFolder sweep = planned("sweep", kSmall);
  const Ended ended = run_process({"sweep", "submit", sweep.root.string(), "--print", "--tasks",
                                   "4", "--sbatch=--time=2:00:00"});
  EXPECT_EQ(ended.code, kDone) << ended.error;
  EXPECT_EQ(ended.out,
            fmt::format("sbatch --array=0-3 --time=2:00:00 {} {} {}\n",
                        without_links(OUTERLOOP_SOURCE_DIR "/launch/sweep.sbatch"),
                        sweep.root.string(), without_links(OUTERLOOP_BINARY_DIR "/outerloop")));
}

TEST_F(Sweep, SubmitShowsACommandThatAShellReadsAsItIsMeant) {
  const SweepFolder sweep = planned("a \"sweep\" of $5, it's *", kSmall);
  const std::string constraint = "--constraint=a&b|c";
  const Ended ended =
      run_process({"sweep", "submit", sweep.root.string(), "--print", "--sbatch=" + constraint});
  ASSERT_EQ(ended.code, kDone) << ended.error;
  std::ofstream(folder_ / "sbatch") << "#!/bin/sh\nprintf '%s\\n' \"$@\"\n";
  fs::permissions(folder_ / "sbatch", fs::perms::owner_all);
  const std::string path = folder_.path().string() + ":" + std::getenv("PATH");
  const auto prepare = [&path] { return setenv("PATH", path.c_str(), 1) == 0; };
  const Ended shell = Process({"-c", ended.out}, prepare, "/bin/sh").wait();
  EXPECT_EQ(shell.out,
            fmt::format("--array=0-7\n{}\n{}\n{}\n{}\n", constraint,
                        without_links(OUTERLOOP_SOURCE_DIR "/launch/sweep.sbatch"),
                        sweep.root.string(), without_links(OUTERLOOP_BINARY_DIR "/outerloop")));
}

// The shipped script as Slurm would start it, with the variables of one array task.
TEST_F(Sweep, TheArrayScriptWorksOffItsShard) {
  const SweepFolder sweep = planned("sweep", kSmall);
  const std::string script =
      fmt::format("SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_COUNT=3 bash '{}' '{}' '{}' > '{}' 2>&1",
                  OUTERLOOP_SOURCE_DIR "/launch/sweep.sbatch", sweep.root.string(),
                  OUTERLOOP_BINARY_DIR "/outerloop", (folder_ / "said").string());
  EXPECT_EQ(std::system(script.c_str()), 0) << read_file(folder_ / "said");
  EXPECT_CONTAINS(read_file(folder_ / "said"), "3 done, 0 failed, 0 with other workers\n");
}

TEST_F(Sweep, WrongInputEndsWithCodeTwo) {
  const SweepFolder sweep = planned("sweep", kSmall);
  const std::string root = sweep.root.string();
  fs::create_directories(folder_ / "training/ckpt");
  const std::pair<Words, const char*> cases[] = {
      {{"sweep", "run", (folder_ / "none").string()}, "none is no sweep: it has no sweep.jsonl"},
      {{"sweep", "run", root, "--shard", "3/3"}, "--shard: expected I/N with I from 0 to below N"},
      {{"sweep", "run", root, "-j", "0"}, "--jobs"},
      {{"sweep", "plan", (folder_ / "none").string()}, "none: no such file"},
      {{"sweep", "plan", (folder_ / "spec.yaml").string(), "--out",
        (folder_ / "training").string()},
       "training: holds 'ckpt' but no sweep.jsonl, so it is no sweep"},
      {{"sweep"}, "A subcommand is required"},
  };
  for (const auto& [words, error] : cases) {
    const Result result = call(words);
    EXPECT_EQ(result.code, kBadInput) << error;
    EXPECT_CONTAINS(result.error, error);
  }
}

}  // namespace
}  // namespace outerloop::cli
