// Going on with a run: what may differ, what is refused, what is left alone.

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "data/image_sets.h"
#include "io/overwrite.h"
#include "outerloop/base/error.h"
#include "outerloop/data/image_set.h"
#include "support/message_of.h"
#include "train/runs.h"

namespace outerloop::train {
namespace {

namespace fs = std::filesystem;

const Words kInPieces{"outer.meta_batch=4",   "validation.every=100",  "validation.tasks=20",
                      "test.tasks=20",        "test.steps=2",          "log.every_iterations=50",
                      "checkpoint.every=100", "checkpoint.keep_last=3"};

class Resuming : public testing::Test {
 protected:
  config::Resolved sinusoid(const std::string& name, const Words& words) const {
    return shipped("sinusoid_maml", folder_ / name, kInPieces + words);
  }
  TrainResult go(const std::string& name, const Words& words, TrainOptions options = {}) const {
    return train(sinusoid(name, words), options);
  }
  fs::path newest(const std::string& name) const { return newest_checkpoint(folder_ / name); }

  // Every file of a run by name, with its content.
  std::map<std::string, std::string> files_of(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / name)) {
      if (entry.is_regular_file()) files[entry.path().string()] = read_file(entry.path());
    }
    return files;
  }

  static void flip_a_bit(const fs::path& file) {
    std::string bytes = read_file(file);
    bytes[bytes.size() / 2] ^= 16;
    std::ofstream(file, std::ios::binary) << bytes;
  }

  TemporaryFolder folder_;
};

TEST_F(Resuming, ARunOfAnotherConfigIsRefusedByTheKeysThatDiffer) {
  go("run", {"outer.iterations=100"});
  const auto before = files_of("run");
  const std::string message = message_of<BadInput>([&] {
    go("run", {"outer.iterations=200", "inner.rate=0.02", "outer.optimizer=sgd"});
  });
  EXPECT_EQ(message.find("outer.iterations"), std::string::npos) << "which may differ: " << message;
  EXPECT_CONTAINS(message, "inner.rate was 0.01 and is now 0.02, ");
  EXPECT_CONTAINS(message, "outer.optimizer was adam and is now sgd");
  EXPECT_CONTAINS(message, "choose another run_dir");
  EXPECT_EQ(std::ranges::count(message, '\n'), 0);
  auto after = files_of("run");
  after[(folder_ / "run/log/rank-000.log").string()] =
      before.at((folder_ / "run/log/rank-000.log").string());
  EXPECT_EQ(after, before) << "a refused start changed the folder";
}

TEST_F(Resuming, WhatAKilledProcessWasWritingIsRemoved) {
  train_until(sinusoid("run", {"outer.iterations=150"}), 70);
  const fs::path run = folder_ / "run";
  const std::string left[] = {".tmp-test_tasks.csv-99999999-4", ".tmp-report.html-99999999-5"};
  const std::string of_others[] = {".tmp-mine.csv-16719-4", ".tmp-summary.json",
                                   fmt::format(".tmp-report.html-{}-999", ::getppid())};
  for (const std::string& name : left) std::ofstream(run / name) << "half";
  for (const std::string& name : of_others) std::ofstream(run / name) << "mine";
  go("run", {"outer.iterations=150"});
  for (const std::string& name : left) EXPECT_FALSE(fs::exists(run / name)) << name;
  for (const std::string& name : of_others) EXPECT_TRUE(fs::exists(run / name)) << name;
}

TEST_F(Resuming, KeysThatCannotChangeResultsMayDiffer) {
  go("whole", {"outer.iterations=150"});
  train_until(sinusoid("run", {"outer.iterations=150"}), 70);
  Words words = kInPieces;
  words.pop_back();
  words.push_back("checkpoint.keep_last=1");
  train(shipped("sinusoid_maml", folder_ / "run",
                words + Words{"outer.iterations=150", "runtime.threads=1", "runtime.isa=avx2",
                              "report.write=false", "log.every_seconds=1"}),
        {});
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run")));
}

TEST_F(Resuming, ADamagedCheckpointIsNamedAndAnOlderOneUsed) {
  go("whole", {"outer.iterations=400"});
  train_until(sinusoid("run", {"outer.iterations=400"}), 250);
  const fs::path damaged = newest("run");
  EXPECT_EQ(damaged.filename(), "ckpt-000000250.h5");
  flip_a_bit(damaged);
  Log log;
  std::string text;
  log.add(LogLevel::info, [&text](LogLevel level, std::string_view message) {
    text += fmt::format("{}: {}\n", name(level), message);
  });
  TrainOptions options;
  options.log = &log;
  go("run", {"outer.iterations=400"}, options);
  EXPECT_CONTAINS(text, fmt::format("warning: skipped {}", damaged.string()));
  EXPECT_CONTAINS(text, "at iteration 200 on cpu\n");
  EXPECT_CONTAINS(read_file(folder_ / "run/log/rank-000.log"), "skipped");
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run")));
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "run"));
}

TEST_F(Resuming, NoFlippedBitIsAcceptedSilently) {
  train_until(sinusoid("run", {"outer.iterations=400"}), 250);
  const fs::path file = newest("run");
  const size_t size = fs::file_size(file);
  std::mt19937 random(11);
  for (int trial = 0; trial < 1000; ++trial) {
    const Overwrite flip(file, random() % size, [&](char c) { return c ^ 1 << random() % 8; });
    std::string notice;
    const auto found = checkpoint::Store::open_read(folder_ / "run/ckpt")
                           .load_newest([&notice](const std::string& text) { notice += text; });
    ASSERT_EQ(found->iteration, 200) << trial;
    ASSERT_TRUE(notice.starts_with("skipped " + file.string() + ": damaged: ")) << notice;
  }
}

TEST_F(Resuming, FromATruncatedCheckpointItGoesOnFromTheOlderOne) {
  go("whole", {"outer.iterations=300"});
  for (const double part : {0.0, 0.01, 0.5, 0.999}) {
    fs::remove_all(folder_ / "run");
    train_until(sinusoid("run", {"outer.iterations=300"}), 250);
    const fs::path file = newest("run");
    fs::resize_file(file, static_cast<uintmax_t>(part * static_cast<double>(fs::file_size(file))));
    go("run", {"outer.iterations=300"});
    EXPECT_CONTAINS(read_file(folder_ / "run/log/rank-000.log"), "skipped " + file.string());
    EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run"))) << part;
  }
}

TEST_F(Resuming, WithoutAWholeCheckpointItSaysSoAndKeepsThem) {
  train_until(sinusoid("run", {"outer.iterations=400"}), 50);
  flip_a_bit(newest("run"));
  const auto before = files_of("run").size();
  const std::string message = message_of<CorruptFile>([&] { go("run", {"outer.iterations=400"}); });
  EXPECT_CONTAINS(message, "ckpt-000000050.h5");
  EXPECT_EQ(files_of("run").size(), before);
}

TEST_F(Resuming, TheRunningMeanIsStoredOnceAndGoesOn) {
  const Words words{"outer.iterations=60", "outer.ema=0.9"};
  go("whole", words);
  train_until(sinusoid("run", words), 30);
  checkpoint::Checkpoint half = checkpoint::read_checkpoint(newest("run"));
  EXPECT_EQ(half.ema.size(), half.parameters.size());
  for (const io::NamedTensor& item : half.optimizer) EXPECT_NE(item.name, "ema");
  go("run", words);
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run")));

  // Older checkpoints keep it twice.
  half.optimizer.push_back({"ema", half.optimizer.front().value});
  const fs::path older = folder_ / "older.h5";
  checkpoint::write_checkpoint(half, older);
  go("second", words, {.resume_from = older});
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("second")));
}

TEST_F(Resuming, NeverMeansNever) {
  const TrainOptions never{.resume = Resume::never};
  EXPECT_EQ(go("run", {"outer.iterations=10"}, never).outcome, Outcome::done);
  EXPECT_CONTAINS(message_of<BadInput>([&] { go("run", {"outer.iterations=10"}, never); }),
                  "already holds checkpoints");
}

TEST_F(Resuming, ACheckpointFileStartsARunInANewFolder) {
  go("whole", {"outer.iterations=200"});
  train_until(sinusoid("first", {"outer.iterations=200"}), 120);
  const TrainOptions options{.resume_from = newest("first")};
  go("second", {"outer.iterations=200"}, options);
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("second")));
  EXPECT_EQ(newest("first").filename(), "ckpt-000000120.h5");
  const nlohmann::json summary = summary_of(folder_ / "second");
  EXPECT_NEAR(summary["tasks_per_s"].get<double>() * summary["wall_s"].get<double>(), 80 * 4, 1e-6)
      << "the first 120 iterations took none of this folder's time";

  go("other", {"outer.iterations=10", "inner.rate=0.02"});
  EXPECT_CONTAINS(message_of<BadInput>([&] { go("other", {"outer.iterations=200"}, options); }),
                  "inner.rate was 0.02 and is now 0.01");
  EXPECT_CONTAINS(message_of<BadInput>([&] {
                    go("third", {"outer.iterations=200", "inner.rate=0.02"}, options);
                  }),
                  newest("first").string() +
                      " holds a run of another config: inner.rate was 0.01 "
                      "and is now 0.02; resume another checkpoint");
  EXPECT_CONTAINS(message_of<BadInput>([&] { go("third", {"outer.iterations=100"}, options); }),
                  newest("first").string() + " has 120 iterations already");
  EXPECT_FALSE(fs::exists(folder_ / "third")) << "a refused start made a folder";
}

TEST_F(Resuming, AnEarlierCheckpointFileGoesBackInTheSameFolder) {
  go("run", {"outer.iterations=300"});
  const std::string whole = read_file(newest("run"));
  const TrainOptions back{.resume_from = folder_ / "run/ckpt/ckpt-000000100.h5"};
  EXPECT_EQ(train_until(sinusoid("run", {"outer.iterations=300"}), 150, back).outcome,
            Outcome::stopped);
  EXPECT_EQ(newest("run").filename(), "ckpt-000000150.h5");
  EXPECT_EQ(metrics_of(folder_ / "run").back()["iteration"], 150);
  const std::string ckpt = (folder_ / "run/ckpt").string();
  EXPECT_CONTAINS(read_file(folder_ / "run/log/rank-000.log"),
                  "goes back to iteration 100: 2 later checkpoints renamed to " + ckpt +
                      "/ckpt-*.h5.superseded");
  EXPECT_TRUE(fs::exists(ckpt + "/ckpt-000000300.h5.superseded"));
  EXPECT_FALSE(fs::exists(folder_ / "run/summary.json")) << "of a result that was given up";
  go("run", {"outer.iterations=300"});
  EXPECT_EQ(read_file(newest("run")), whole);
}

// What a kill leaves: no checkpoint of its own.
void train_until_it_throws(const config::Resolved& resolved, int64_t iteration,
                           TrainOptions options) {
  options.on_iteration = [&](const Progress::Sample& sample) {
    if (sample.done == iteration) throw SystemFailure("killed");
  };
  EXPECT_EQ(message_of<SystemFailure>([&] { train(resolved, options); }), "killed");
}

TEST_F(Resuming, KilledOnTheWayBackItsLogsAreThoseOfItsCheckpoints) {
  go("whole", {"outer.iterations=300"});
  const config::Resolved resolved = sinusoid("run", {"outer.iterations=300"});
  train(resolved, {});
  const TrainOptions back{.resume_from = folder_ / "run/ckpt/ckpt-000000100.h5"};
  train_until_it_throws(resolved, 150, back);
  train(resolved, {});
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run")));
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "run"));
}

// So a supervisor, or a queue, may give the same command again and again.
TEST_F(Resuming, ACheckpointFileStartsAnInterruptedRunOnce) {
  const config::Resolved resolved = sinusoid("run", {"outer.iterations=300"});
  const auto log = [&] { return read_file(folder_ / "run/log/rank-000.log"); };
  train(resolved, {});
  const std::string whole = read_file(newest("run"));
  const TrainOptions back{.resume_from = folder_ / "run/ckpt/ckpt-000000100.h5"};
  train_until(resolved, 150, back);
  train_until(resolved, 250, back);
  EXPECT_CONTAINS(log(), "goes on from its own checkpoints; to begin there again, remove ");
  EXPECT_CONTAINS(log(), "at iteration 150 on cpu\n");
  train(resolved, back);
  EXPECT_EQ(read_file(newest("run")), whole);
  // Killed behind its first checkpoint.
  train_until_it_throws(resolved, 250, back);
  train_until(resolved, 260, back);
  EXPECT_CONTAINS(log(), "at iteration 200 on cpu\n");
  train(resolved, back);
  EXPECT_EQ(read_file(newest("run")), whole);
  // After its end, the same command goes back again.
  train_until(resolved, 120, back);
  EXPECT_EQ(newest("run").filename(), "ckpt-000000120.h5");
}

TEST_F(Resuming, TheBestIsNotMarkedWhereItIsNotKept) {
  go("run", {"outer.iterations=300", "checkpoint.best=false", "checkpoint.every=0"});
  EXPECT_FALSE(fs::exists(folder_ / "run/ckpt/best"));
  EXPECT_EQ(checkpoint::Store::open_read(folder_ / "run/ckpt").list().size(), 1u);
}

TEST_F(Resuming, AFinishedRunIsLeftAsItIs) {
  go("run", {"outer.iterations=150"});
  const auto before = files_of("run");
  const TrainResult again = go("run", {"outer.iterations=150"});
  EXPECT_EQ(again.outcome, Outcome::finished_before);
  EXPECT_EQ(again.iterations, 150);
  EXPECT_EQ(files_of("run"), before);
}

TEST_F(Resuming, AMissingOrTornSummaryIsWrittenAgain) {
  go("run", {"outer.iterations=150"});
  const nlohmann::json before = summary_of(folder_ / "run");
  const fs::path summary = folder_ / "run/summary.json";
  fs::remove(summary);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(go("run", {"outer.iterations=150"}).outcome, Outcome::done);
    const nlohmann::json after = summary_of(folder_ / "run");
    for (const char* key : {"test", "iterations", "content_hash", "best_iteration"}) {
      EXPECT_EQ(after[key], before[key]) << key;
    }
    // Times of the training, not of writing its summary.
    EXPECT_GE(after["wall_s"], metrics_of(folder_ / "run").back()["wall_s"]);
    fs::resize_file(summary, 40);
  }
}

TEST_F(Resuming, AFinishedRunGoesOnWhenItIsMadeLonger) {
  go("whole", {"outer.iterations=300"});
  go("run", {"outer.iterations=200"});
  EXPECT_EQ(go("run", {"outer.iterations=300"}).outcome, Outcome::done);
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run")));
  EXPECT_EQ(summary_of(folder_ / "run")["iterations"], 300);
  EXPECT_EQ(summary_of(folder_ / "run")["test"], summary_of(folder_ / "whole")["test"]);

  EXPECT_CONTAINS(message_of<BadInput>([&] { go("run", {"outer.iterations=250"}); }),
                  "has 300 iterations already, more than outer.iterations = 250");
}

// Its last validation was one more than the longer run has.
TEST_F(Resuming, TheValidationOfTheEndDoesNotCountWhenItIsMadeLonger) {
  const Words words{"outer.rate=0", "validation.patience=2"};  // nothing improves on the first one
  go("whole", words + Words{"outer.iterations=400"});
  EXPECT_EQ(summary_of(folder_ / "whole")["iterations"], 300);
  go("run", words + Words{"outer.iterations=150"});
  go("run", words + Words{"outer.iterations=400"});
  EXPECT_EQ(summary_of(folder_ / "run")["iterations"], 300);
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run")));
}

TEST_F(Resuming, NotWhenTheScheduleDependsOnTheLength) {
  go("run", {"outer.iterations=200", "outer.schedule=cosine"});
  const std::string message = message_of<BadInput>([&] {
    go("run", {"outer.iterations=300", "outer.schedule=cosine"});
  });
  EXPECT_CONTAINS(message, "outer.iterations was 200 and is now 300");
  EXPECT_CONTAINS(message, "outer.schedule=cosine depends on it");
}

TEST_F(Resuming, LaterAndTornLinesOfMetricsAreCut) {
  go("whole", {"outer.iterations=200"});
  train_until(sinusoid("run", {"outer.iterations=200"}), 120);
  std::ofstream(folder_ / "run/metrics.jsonl", std::ios::app)
      << R"({"iteration":150,"kind":"train","loss":9,"wall_s":1})"
      << "\n"
      << R"({"iteration":200,"ki)";
  go("run", {"outer.iterations=200"});
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "run"));
  double before = 0;
  for (const nlohmann::json& line : metrics_of(folder_ / "run")) {
    EXPECT_GT(line["wall_s"], before) << "time goes on over restarts";
    before = line["wall_s"];
  }
}

TEST_F(Resuming, TheTimeBeforeAStopIsCounted) {
  const config::Resolved resolved =
      sinusoid("run", {"outer.iterations=30", "log.every_iterations=1000", "validation.every=0"});
  constexpr int64_t kStops = 2;
  constexpr double kNap = 0.2;  // s, before each stop
  for (int64_t stop = 1; stop <= kStops; ++stop) {
    TrainOptions options;
    bool napped = false;
    options.on_iteration = [&](const Progress::Sample& sample) {
      if (sample.done != 10 * stop) return;
      std::this_thread::sleep_for(std::chrono::duration<double>(kNap));
      napped = true;
    };
    options.stop_requested = [&napped] { return std::string(napped ? "the test" : ""); };
    EXPECT_EQ(train(resolved, options).outcome, Outcome::stopped);
  }
  EXPECT_EQ(train(resolved, {}).outcome, Outcome::done);
  const nlohmann::json summary = summary_of(folder_ / "run");
  EXPECT_GE(summary["wall_s"], kStops * kNap);
  EXPECT_GE(metrics_of(folder_ / "run").back()["wall_s"], kStops * kNap);
  EXPECT_NEAR(summary["tasks_per_s"].get<double>() * summary["wall_s"].get<double>(), 30 * 4, 1e-6);
}

TEST_F(Resuming, AStoppedRunHasNoSummaryAndItsFolderNoStopFile) {
  const config::Resolved resolved = sinusoid("run", {"outer.iterations=100000"});
  TrainOptions options;
  options.on_iteration = [this](const Progress::Sample& sample) {
    if (sample.done == 10) std::ofstream(folder_ / "run/STOP") << "stop\n";
  };
  const TrainResult result = train(resolved, options);
  EXPECT_EQ(result.outcome, Outcome::stopped);
  EXPECT_EQ(result.why, "the STOP file");
  EXPECT_FALSE(fs::exists(folder_ / "run/STOP"));
  EXPECT_FALSE(fs::exists(folder_ / "run/summary.json"));
  EXPECT_EQ(newest("run").filename(), fmt::format("ckpt-{:09}.h5", result.iterations));
}

TEST_F(Resuming, AStopAfterTheLastIterationLeavesOnlyTheTestUndone) {
  const config::Resolved resolved = sinusoid("run", {"outer.iterations=60"});
  EXPECT_EQ(train_until(resolved, 60).outcome, Outcome::stopped);
  EXPECT_FALSE(fs::exists(folder_ / "run/summary.json"));
  EXPECT_EQ(train(resolved, {}).outcome, Outcome::done);
  go("whole", {"outer.iterations=60"});
  EXPECT_EQ(summary_of(folder_ / "run")["test"], summary_of(folder_ / "whole")["test"]);
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "run"));
}

// The first question after an iteration comes before the next; the second one inside its
// validation.
TrainResult train_until_validation(const config::Resolved& resolved, int64_t iteration,
                                   comm::Communicator* ranks = nullptr) {
  int64_t done = resolved.config.outer.iterations;
  int asked = 0;
  TrainOptions options{.ranks = ranks};
  options.on_iteration = [&](const Progress::Sample& sample) {
    done = sample.done;
    asked = 0;
  };
  options.stop_requested = [&] {
    return std::string(done == iteration - 1 && ++asked > 1 ? "the test" : "");
  };
  return train(resolved, options);
}

TEST_F(Resuming, AStopEndsAValidationWhichIsMadeAnew) {
  const Words words{"outer.iterations=250", "checkpoint.every=50", "runtime.threads=1"};
  go("whole", words);
  // Beside a checkpoint that is due, and behind the last iteration.
  for (const int64_t iteration : {100, 200, 250}) {
    const TrainResult stopped = train_until_validation(sinusoid("run", words), iteration);
    EXPECT_EQ(stopped.outcome, Outcome::stopped);
    EXPECT_EQ(stopped.iterations, iteration);
    EXPECT_EQ(checkpoint::read_checkpoint(newest("run")).iteration, iteration);
    EXPECT_EQ(metrics_of(folder_ / "run").back()["kind"], "train") << "not its validation";
    // Again, while the validation that is owed is made.
    const TrainOptions at_once{.stop_requested = [] { return std::string("the test"); }};
    EXPECT_EQ(train(sinusoid("run", words), at_once).iterations, iteration);
  }
  EXPECT_EQ(go("run", words).outcome, Outcome::done);
  for (const int64_t iteration : {150, 200, 250}) {
    const std::string name = fmt::format("ckpt/ckpt-{:09}.h5", iteration);
    EXPECT_TRUE(same_checkpoints(folder_ / "whole" / name, folder_ / "run" / name));
  }
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "run"));
  EXPECT_EQ(summary_of(folder_ / "run")["test"], summary_of(folder_ / "whole")["test"]);
}

TEST_F(Resuming, AStopBehindAnOwedValidationDoesNotRepeatIt) {
  const Words words{"outer.iterations=250", "checkpoint.every=0", "runtime.threads=1"};
  go("whole", words + Words{"outer.rate=0"});
  const config::Resolved resolved = sinusoid("run", words + Words{"outer.rate=0"});
  train_until_validation(resolved, 200);  // which is not the best
  const TrainOptions behind{.stop_requested = [&] {
    const bool is_made = metrics_of(folder_ / "run").back()["kind"] == "validation";
    return std::string(
        is_made && metrics_of(folder_ / "run").back()["iteration"] == 200 ? "the test" : "");
  }};
  EXPECT_EQ(train(resolved, behind).iterations, 200);
  EXPECT_EQ(train(resolved, {}).outcome, Outcome::done);
  EXPECT_EQ(lasting_metrics(folder_ / "whole"), lasting_metrics(folder_ / "run"));
}

TEST_F(Resuming, OneTrainingAtATimeInAFolder) {
  const config::Resolved resolved = sinusoid("run", {"outer.iterations=20"});
  std::string message;
  TrainOptions options;
  options.on_iteration = [&](const Progress::Sample& sample) {
    if (sample.done == 10) message = message_of<BadInput>([&] { train(resolved, {}); });
  };
  EXPECT_EQ(train(resolved, options).outcome, Outcome::done);
  EXPECT_CONTAINS(message, fmt::format("is being trained by process {}", getpid()));
}

TEST_F(Resuming, TheTestMayHaveAnotherSize) {
  go("run", {"outer.iterations=30", "test.tasks=7"});
  EXPECT_EQ(summary_of(folder_ / "run")["test"]["tasks"], 7);
  go("run", {"outer.iterations=30", "test.tasks=9"});
  EXPECT_EQ(summary_of(folder_ / "run")["test"]["tasks"], 9);
}

// A data set that is named from the folder of the first config, in config.yaml too.
TEST_F(Resuming, ARunsOwnConfigMeansTheDataThatItWasTrainedOn) {
  const fs::path first = folder_ / "first";
  fs::create_directories(first);
  data::save_image_set(data::small_set(), first / "small.h5");
  fs::copy_file(OUTERLOOP_SOURCE_DIR "/configs/omniglot_maml.yaml", first / "mine.yaml");
  const Words words = small_images("small.h5") + Words{"outer.schedule=constant"};
  const auto from_first = [&](const std::string& name, const Words& more) {
    const Words all = words + more + Words{"run_dir=" + (folder_ / name).string()};
    train(config::read_config(first / "mine.yaml", settled(all)), {});
  };
  const auto from_run = [&](const Words& more) {
    return train(config::read_config(folder_ / "run/config.yaml", more), {}).outcome;
  };
  from_first("whole", {"outer.iterations=8"});
  from_first("run", {"outer.iterations=4"});
  EXPECT_EQ(from_run({"outer.iterations=8"}), Outcome::done);
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("run")));
  const std::string again = "run_dir=" + (folder_ / "again").string();
  EXPECT_EQ(from_run({again, "outer.iterations=8"}), Outcome::done);
  EXPECT_TRUE(same_checkpoints(newest("whole"), newest("again")));

  const auto refusal = [&](const Words& more) {
    return message_of<BadInput>([&] { from_run(more); });
  };
  EXPECT_CONTAINS(refusal({again, "tasks.dataset=none.h5"}), "none.h5: no such file");
  fs::remove(first / "small.h5");
  EXPECT_CONTAINS(refusal({again}), "small.h5: no such file");
  data::save_image_set(data::small_set(), folder_ / "run/small.h5");
  EXPECT_EQ(from_run({"outer.iterations=9"}), Outcome::done) << "it lies beside the config now";
}

TEST_F(Resuming, AFolderOfAnotherKindIsNotTouched) {
  fs::create_directories(folder_ / "mine");
  std::ofstream(folder_ / "mine/config.yaml") << "my: own\n";
  const auto before = files_of("mine");
  EXPECT_CONTAINS(message_of<BadInput>([&] { go("mine", {"outer.iterations=1"}); }),
                  "holds 'config.yaml' but no ckpt folder");
  EXPECT_EQ(files_of("mine"), before);
  EXPECT_CONTAINS(message_of<BadInput>([&] { go("mine/config.yaml", {}); }),
                  "mine/config.yaml: cannot be created");
  EXPECT_CONTAINS(message_of<BadInput>([&] { go("mine/config.yaml/below", {}); }),
                  "cannot be created: Not a directory; choose another run_dir");
}

}  // namespace
}  // namespace outerloop::train
