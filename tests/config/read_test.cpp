#include "outerloop/config/read.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "config/read_text.h"
#include "io/temporary_folder.h"
#include "outerloop/config/word.h"
#include "support/variable.h"

namespace outerloop::config {
namespace {

using Lines = std::vector<std::string>;

// What the reader says about a config; empty if it takes it.
Lines errors(std::string_view text, const Lines& words = {}) {
  try {
    read(text, words);
  } catch (const ConfigErrors& refused) {
    return refused.lines();
  }
  return {};
}

TEST(ReadConfig, TakesTheFileThenTheCommandLine) {
  const Lines words{"inner.rate=0.4", "model.hidden=[8, 16]", "run_dir=a=b c"};
  const Config config = read("seed: 7\ninner: {steps: 5, rate: 0.1}\n", words).config;
  EXPECT_EQ(config.seed, 7);
  EXPECT_EQ(config.inner.steps, 5);
  EXPECT_EQ(config.inner.rate, 0.4);
  EXPECT_EQ(config.model.hidden, (std::vector<std::int64_t>{8, 16}));
  EXPECT_EQ(config.run_dir, "a=b c");
}

// A sweep writes them so, and a person may.
TEST(ReadConfig, TakesTextsInQuotesOnTheCommandLine) {
  const Lines columns{"a", "b, c", "say \"x\"", "\\", "d"};
  const std::string written = R"([a, "b, c", "say \"x\"", "\\", d])";
  const std::string key = "tasks.table.features";
  const auto columns_of = [&key](const std::string& value) {
    return read("tasks: {family: table, dataset: t.csv, table: {target: y}}", {key + "=" + value})
        .config.tasks.table.features;
  };
  EXPECT_EQ(columns_of(written), columns);
  const std::string canonical = canonical_value(key, written);
  EXPECT_EQ(canonical_value(key, canonical), canonical);
  EXPECT_EQ(columns_of(canonical), columns);
}

TEST(ReadConfig, ReadsEveryTypeOfValue) {
  const Config config = read(R"(
model: {activation: leaky_relu, bias: false, hidden: [], init_std: 1e-2}
tasks:
  sinusoid:
    phase: [-1, 2.5]
outer: {clip_norm: 10, ema: none}
runtime: {device: auto}
)")
                            .config;
  EXPECT_EQ(config.model.activation, Activation::leaky_relu);
  EXPECT_FALSE(config.model.bias);
  EXPECT_TRUE(config.model.hidden.empty());
  EXPECT_EQ(config.model.init_std, 0.01);
  EXPECT_EQ(config.tasks.sinusoid.phase, (Interval{-1, 2.5}));
  EXPECT_EQ(config.outer.clip_norm, 10.0);
  EXPECT_EQ(config.outer.ema, std::nullopt);
  EXPECT_EQ(config.runtime.device, Device::auto_);
}

TEST(ReadConfig, TakesDottedNamesAndEmptySections) {
  const Config config = read("inner.steps: 3\nouter:\n").config;
  EXPECT_EQ(config.inner.steps, 3);
}

TEST(ReadConfig, NamesTheRunFolderAfterConfigAndSeed) {
  EXPECT_EQ(read("seed: 3").config.run_dir, "runs/a-seed3");
  EXPECT_EQ(read("run_dir: elsewhere").config.run_dir, "elsewhere");
}

// Wherever it was begun, moved or copied.
TEST(ReadConfig, OfARunMeansTheFolderThatItLiesIn) {
  const std::filesystem::path folder = fresh_folder("config_of_a_run");
  const std::filesystem::path run = folder / "run", file = run / "config.yaml";
  std::filesystem::create_directories(run);
  const auto run_dir_of = [&file](const std::string& run_dir, const Lines& words = {}) {
    std::ofstream(file) << "run_dir: \"" << run_dir << "\"\n";
    const Resolved resolved = read_config(file, words);
    return std::pair(resolved.config.run_dir, resolved.origins[1]);
  };
  EXPECT_EQ(run_dir_of("runs/a").first, "runs/a") << "a person's own config";
  std::ofstream(run / "manifest.json") << "{}";
  std::filesystem::create_directories(run / "ckpt");
  EXPECT_EQ(run_dir_of("runs/a").first, "runs/a") << "another program's manifest";
  std::ofstream(run / "manifest.json") << R"({"config_hash": "0"})";
  const auto here = std::pair(run.string(), "the folder of " + file.string());
  EXPECT_EQ(run_dir_of("runs/a"), here);
  EXPECT_EQ(run_dir_of(folder.string()), here) << "which is another folder that there is";
  EXPECT_EQ(run_dir_of(run.string() + "/.").first, run.string() + "/.") << "named otherwise";
  EXPECT_EQ(run_dir_of("runs/a", {"run_dir=b"}),
            std::pair(std::string("b"), std::string("command line: word 1")));
  std::ofstream(run / "mine.yaml") << "run_dir: runs/a\n";
  EXPECT_EQ(read_config(run / "mine.yaml").config.run_dir, "runs/a");
}

TEST(ReadConfig, ReadsPathsAsAShellDoes) {
  const testing_support::Variable home("HOME", "/home/me");
  const auto run_dir = [](const std::string& path) {
    return read("", {"run_dir=" + path}).config.run_dir;
  };
  EXPECT_EQ(run_dir("~/a"), "/home/me/a");
  EXPECT_EQ(run_dir("~"), "/home/me");
  EXPECT_EQ(run_dir("a/~/b"), "a/~/b");
  EXPECT_EQ(run_dir("./~/a"), "./~/a");
  EXPECT_EQ(read("run_dir: ~/a").config.run_dir, "/home/me/a");
  const Lines table{"tasks.family=table", "tasks.dataset=~/t.csv", "tasks.table.target=~/y"};
  EXPECT_EQ(read("", table).config.tasks.dataset, "/home/me/t.csv");
  EXPECT_EQ(read("", table).config.tasks.table.target, "~/y") << "a column's name is no path";
}

TEST(ReadConfig, RemembersWhereValuesCameFrom) {
  const Resolved resolved = read("seed: 7\n\nrun_dir: x", Lines{"run_dir=y"});
  EXPECT_EQ(resolved.origins[0], "a.yaml:1:7");
  EXPECT_EQ(resolved.origins[1], "command line: word 1");
  EXPECT_EQ(resolved.origins[2], "default");
}

TEST(ReadConfig, NamesAllErrorsAtOnce) {
  EXPECT_EQ(errors("inner:\n  stpes: 5\n  rate: fast\nouter: {meta_batch: 0}\n", {"inner.rte=1"}),
            (Lines{"a.yaml:2:3: unknown key 'inner.stpes'; did you mean 'inner.steps'?",
                   "a.yaml:3:9: inner.rate: expected a number from 0 up, got 'fast'",
                   "a.yaml:4:21: outer.meta_batch: expected a whole number from 1 to 1000000, got "
                   "'0'",
                   "command line: word 1: unknown key 'inner.rte'; did you mean 'inner.rate'?"}));
}

TEST(ReadConfig, SuggestsTheKeyThatWasMeant) {
  EXPECT_EQ(errors("iner: {steps: 1}"),
            Lines{"a.yaml:1:1: unknown key 'iner'; did you mean 'inner'?"});
  EXPECT_EQ(errors("meta_batch: 4"),
            Lines{"a.yaml:1:1: unknown key 'meta_batch'; did you mean 'outer.meta_batch'?"});
  EXPECT_EQ(errors("rate: 1"),
            Lines{"a.yaml:1:1: unknown key 'rate'; did you mean 'inner.rate' or 'outer.rate'?"});
  EXPECT_EQ(errors("stop: {colour: 4}"),
            Lines{"a.yaml:1:8: unknown key 'stop.colour'; 'stop' has: stop.max_nonfinite"});
  EXPECT_EQ(errors("zzzz: 4"),
            Lines{"a.yaml:1:1: unknown key 'zzzz'; `outerloop config help` lists all keys"});
}

TEST(ReadConfig, RefusesDuplicates) {
  EXPECT_EQ(errors("seed: 1\nseed: 2"),
            Lines{"a.yaml:2:1: 'seed' is given twice, first at a.yaml:1:1; remove one"});
  EXPECT_EQ(errors("inner: {steps: 1}\ninner: {rate: 1}"),
            Lines{"a.yaml:2:1: 'inner' is given twice, first at a.yaml:1:1; remove one"});
  EXPECT_EQ(errors("inner: {steps: 1}\ninner.steps: 2"),
            Lines{"a.yaml:2:1: 'inner.steps' is given twice, first at a.yaml:1:9; remove one"});
  EXPECT_EQ(errors("", {"seed=1", "seed=1"}),
            Lines{"command line: word 2: 'seed' is given twice, first at command line: word 1; "
                  "remove one"});
}

TEST(ReadConfig, RefusesNumbersThatYamlWouldReadOtherwise) {
  const std::string expected = "expected a whole number from 0 to 1000000000000, got ";
  EXPECT_EQ(errors("seed: 010"), Lines{"a.yaml:1:7: seed: " + expected +
                                       "'010'; write decimal numbers, without leading zeros"});
  for (const char* text :
       {"0x10", "0o10", "1e3", "1.0", "1_000", "--1", "''", "1 2", ".inf", "~"}) {
    EXPECT_EQ(errors(fmt::format("seed: {}", text)).size(), 1u) << text;
  }
  EXPECT_EQ(errors("seed: '1'"), Lines{"a.yaml:1:7: seed: " + expected +
                                       "the quoted text '1'; write it without quotes"});
  EXPECT_EQ(errors("seed: +1"),
            Lines{"a.yaml:1:7: seed: " + expected + "'+1'; write it without '+'"});
  EXPECT_EQ(errors("seed: !!int 1"),
            Lines{"a.yaml:1:7: seed: " + expected + "'!!int 1'; write values without tags"});
  for (const char* text : {".inf", ".nan", "inf", "nan", "0x1p3", "010.5", "1,5"}) {
    EXPECT_EQ(errors(fmt::format("inner.rate: {}", text)).size(), 1u) << text;
  }
}

TEST(ReadConfig, TakesOnlyTrueAndFalse) {
  for (const char* text : {"no", "yes", "on", "off", "True", "1", "'true'", "~", "[true]"}) {
    EXPECT_EQ(errors(fmt::format("model.bias: {}", text)).size(), 1u) << text;
  }
  EXPECT_EQ(errors("model.bias: no"),
            Lines{"a.yaml:1:13: model.bias: expected true or false, got 'no'"});
}

TEST(ReadConfig, RefusesValuesOfTheWrongShape) {
  EXPECT_EQ(errors("seed: [1]"), Lines{"a.yaml:1:7: seed: expected a whole number from 0 to "
                                       "1000000000000, got [1]"});
  EXPECT_EQ(errors("seed: {a: 1}"), Lines{"a.yaml:1:7: seed: expected a whole number from 0 to "
                                          "1000000000000, got keys"});
  EXPECT_EQ(errors("inner: 5").size(), 1u);
  EXPECT_EQ(errors("inner: [5]").size(), 1u);
  EXPECT_EQ(errors("model.hidden: 40"),
            Lines{"a.yaml:1:15: model.hidden: expected a list of whole numbers from 1 to 65536 as "
                  "[a, b], got '40'"});
  for (const char* text : {"[0]", "[1, x]", "[[1]]", "[1, ~]", "{a: 1}"}) {
    EXPECT_EQ(errors(fmt::format("model.hidden: {}", text)).size(), 1u) << text;
  }
  EXPECT_EQ(errors("model.hidden: [!!int 8, 16]"),
            Lines{"a.yaml:1:15: model.hidden: expected a list of whole numbers from 1 to 65536 as "
                  "[a, b], got [!!int 8, 16]; write values without tags"});
  for (const char* text : {"[~]", "[[a]]", "[!!str a]"}) {
    const Lines refused = errors(fmt::format("tasks.table.features: {}", text));
    ASSERT_EQ(refused.size(), 1u) << text;
    EXPECT_NE(refused[0].find("expected a list of texts"), std::string::npos) << refused[0];
  }
  for (const char* text : {"[1]", "[2, 1]", "[1, 2, 3]", "1"}) {
    EXPECT_EQ(errors(fmt::format("tasks.sinusoid.x: {}", text)).size(), 1u) << text;
  }
}

TEST(ReadConfig, SuggestsTheWordThatWasMeant) {
  EXPECT_EQ(errors("model.activation: rleu"),
            Lines{"a.yaml:1:19: model.activation: expected one of relu, tanh, leaky_relu, got "
                  "'rleu'; did you mean 'relu'?"});
  EXPECT_EQ(errors("", {"learner.algorithm=mmal"}).at(0).substr(0, 39),
            "command line: word 1: learner.algorithm");
}

TEST(ReadConfig, RefusesBoundsThatAreNotAllowed) {
  EXPECT_EQ(errors("model.dropout: 1"),
            Lines{"a.yaml:1:16: model.dropout: expected a number from 0 to below 1, got '1'"});
  EXPECT_EQ(errors("model.norm_epsilon: 0"),
            Lines{"a.yaml:1:21: model.norm_epsilon: expected a number from 1e-30 up, got '0'"});
  // What a float holds as zero.
  for (const char* key : {"model.norm_epsilon", "inner.epsilon", "outer.epsilon", "outer.clip_norm",
                          "outer.clip_value", "learner.implicit.lambda", "learner.ridge.scale"}) {
    const Lines refused = errors("", {std::string(key) + "=1e-46"});
    ASSERT_GE(refused.size(), 1u) << key;
    EXPECT_NE(refused[0].find("expected a number from 1e-30 up"), std::string::npos) << refused[0];
  }
  EXPECT_EQ(errors("learner: {algorithm: imaml, implicit: {tolerance: 1}}").size(), 1u);
  EXPECT_EQ(errors("learner: {algorithm: r2d2, ridge: {scale: 0}}").size(), 1u);
  EXPECT_EQ(errors("learner: {algorithm: r2d2, ridge: {lambda: 1e-9}}").size(), 1u);
  EXPECT_TRUE(errors("model.dropout: 0").empty());
  EXPECT_EQ(errors("learner: {algorithm: imaml, implicit: {iterations: 401}}").size(), 1u);
}

TEST(ReadConfig, RefusesWordsThatAreNoAssignments) {
  EXPECT_EQ(errors("", {"steps"}), Lines{"command line: word 1: expected key=value, got 'steps'"});
  EXPECT_EQ(errors("", {"=3"}), Lines{"command line: word 1: expected key=value, got '=3'"});
  EXPECT_EQ(errors("", {"inner=3"}), Lines{"command line: word 1: 'inner' is a section; name a key "
                                           "in it, such as inner.steps"});
  EXPECT_EQ(errors("", {"model.hidden=[1,]"}).size(), 1u);
  EXPECT_EQ(errors("", {"model.hidden=[1 2]"}).size(), 1u);
  EXPECT_EQ(errors("", {"model.hidden=1,2"}).size(), 1u);
}

TEST(ReadConfig, SaysWhereAFileIsNotYaml) {
  EXPECT_EQ(errors("inner: [1, 2\n").at(0).substr(0, 32), "a.yaml:2:1: not readable as YAML");
  EXPECT_EQ(errors("seed: 1\ninner:\n\tsteps: 2\n"),
            Lines{"a.yaml:3:7: not readable as YAML: illegal map value; the line is indented with "
                  "a tab: write spaces"});
  EXPECT_EQ(errors("inner: [1, 2\n").at(0).find("tab"), std::string::npos);
  EXPECT_EQ(errors("- 1\n- 2"), Lines{"a.yaml:1:1: expected `key: value` lines"});
  EXPECT_EQ(errors("seed: 1\n---\nseed: 2").size(), 1u);
  EXPECT_EQ(errors("[1]: 2"), Lines{"a.yaml:1:1: expected the name of a key"});
  EXPECT_EQ(errors(std::string(2 << 20, ' ')).size(), 1u);
}

TEST(ReadConfig, RefusesTextThatNoFileNameCanHold) {
  EXPECT_EQ(errors("run_dir: \"a\\nb\"").size(), 1u);
  EXPECT_EQ(errors("", {"run_dir=a\xff"}).size(), 1u);
  EXPECT_TRUE(errors("run_dir: \"ab\\\\ \\\" ö 文\"").empty());
}

TEST(ReadConfig, SaysThatAFileIsMissing) {
  try {
    read_config("/no/such.yaml");
    FAIL() << "nothing was thrown";
  } catch (const BadInput& error) {
    EXPECT_STREQ(error.what(), "/no/such.yaml: no such config file");
  }
  EXPECT_THROW(read_config("/"), BadInput);
}

TEST(FindFile, LooksBesideTheConfigFirst) {
  const std::filesystem::path folder = fresh_folder("find_file");
  std::filesystem::create_directories(folder / "datasets");
  std::ofstream(folder / "datasets/x.h5") << "x";
  EXPECT_EQ(find_file("datasets/x.h5", folder), folder / "datasets/x.h5");
  EXPECT_EQ(find_file((folder / "datasets/x.h5").string(), "/"), folder / "datasets/x.h5");
  try {
    find_file("datasets/y.h5", folder);
    FAIL() << "nothing was thrown";
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find((folder / "datasets/y.h5").string()),
              std::string::npos);
  }
}

}  // namespace
}  // namespace outerloop::config
