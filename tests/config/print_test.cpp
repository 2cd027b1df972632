#include "outerloop/config/print.h"

#include <gtest/gtest.h>

#include <set>

#include "config/read_text.h"
#include "config/value.h"
#include "outerloop/config/schema.h"

namespace outerloop::config {
namespace {

TEST(Schema, DescribesEveryKeyOnce) {
  std::set<std::string_view> paths;
  for (const Key& key : schema()) {
    EXPECT_TRUE(paths.insert(key.path).second) << key.path;
    EXPECT_FALSE(key.help.empty()) << key.path;
    EXPECT_EQ(find_key(key.path), &key);
    EXPECT_FALSE(is_section(key.path)) << key.path;
  }
}

TEST(Schema, AcceptsItsOwnDefaults) {
  for (const Key& key : schema()) {
    Config config;
    const std::string text = format_value(key, config);
    const bool is_text = std::holds_alternative<Member<std::string>>(key.field);
    const std::string word = is_text ? text.substr(1, text.size() - 2) : text;
    EXPECT_EQ(assign(key, parse_word(key, word), config), std::nullopt) << key.path;
    EXPECT_EQ(format_value(key, config), text) << key.path;
  }
}

TEST(ToYaml, ReadsBackToTheSameConfig) {
  const Resolved first = read(R"(
seed: 12
run_dir: "a \"b\" \\ c"
tasks: {sinusoid: {x: [-0.1, 3e-7]}, shots: 3, queries: 4}
model: {hidden: [3, 1, 4], activation: tanh, bias: false}
outer: {clip_value: 10, rate: 0.1234567890123456789}
)");
  const std::string text = to_yaml(first.config);
  const Resolved again = read(text);
  EXPECT_EQ(to_yaml(again.config), text);
  EXPECT_EQ(again.config.run_dir, "a \"b\" \\ c");
  EXPECT_EQ(again.config.outer.rate, 0.1234567890123456789);
  EXPECT_EQ(again.config.tasks.sinusoid.x, (Interval{-0.1, 3e-7}));
  EXPECT_EQ(config_hash(again.config), config_hash(first.config));
}

TEST(ToYaml, WritesNestedSectionsOnce) {
  const std::string text = to_yaml(Config{});
  EXPECT_NE(text.find("tasks:\n  family: sinusoid\n"), std::string::npos);
  EXPECT_NE(text.find("  sinusoid:\n    amplitude: [0.1, 5]\n"), std::string::npos);
  EXPECT_EQ(text.find("learner:\n"), text.rfind("learner:\n"));
}

TEST(DescribeOrigins, NamesThePlaceOfEachValueAndReadsBack) {
  const Resolved resolved = read("inner: {steps: 5}", {"seed=3"});
  const std::string text = describe_origins(resolved);
  EXPECT_NE(text.find("seed: 3                                   # command line: word 1\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("  steps: 5                                # a.yaml:1:16; steps\n"),
            std::string::npos);
  EXPECT_NE(text.find("# default"), std::string::npos);
  EXPECT_EQ(to_yaml(read(text).config), to_yaml(resolved.config));
}

TEST(ConfigHash, ChangesWithResultsAlone) {
  const Config config;
  const std::string hash = config_hash(config);
  EXPECT_EQ(hash.size(), 32u);
  for (const char* word : {"run_dir=x", "runtime.threads=2", "runtime.isa=avx2",
                           "log.every_seconds=9", "checkpoint.every=7", "report.write=false"}) {
    EXPECT_EQ(config_hash(read("", {word}).config), hash) << word;
  }
  for (const char* word :
       {"seed=1", "inner.rate=0.02", "outer.rate=0.5", "outer.ema=0.99", "model.hidden=[40]",
        "tasks.sinusoid.x=[-5, 6]", "runtime.reduction=fast"}) {
    EXPECT_NE(config_hash(read("", {word}).config), hash) << word;
  }
}

// Of the version before runtime.reduction: its checkpoints can be gone on from.
TEST(ConfigHash, IsWhatItWasBeforeNewerKeys) {
  EXPECT_EQ(config_hash(read("tasks: {family: sinusoid}").config),
            "13e6571cbaa0cd91d9afb848688f6e6b");
}

TEST(Help, ShowsTypeUnitDefaultAndMeaning) {
  EXPECT_EQ(help("inner.steps"),
            "inner.steps: adaptation steps in training; protonet and r2d2 take none\n"
            "  value    a whole number from 1 to 100000\n"
            "  unit     steps\n"
            "  default  1\n");
  EXPECT_EQ(help("stop"), help("stop.max_nonfinite"));
  EXPECT_EQ(help("inner").find(help("inner.steps")), 0U);
  EXPECT_NE(help_all().find("outer.meta_batch"), std::string::npos);
}

TEST(Help, SuggestsTheNearestKey) {
  try {
    help("inner.step");
    FAIL() << "nothing was thrown";
  } catch (const BadInput& error) {
    EXPECT_STREQ(error.what(), "unknown key 'inner.step'; did you mean 'inner.steps'?");
  }
}

}  // namespace
}  // namespace outerloop::config
