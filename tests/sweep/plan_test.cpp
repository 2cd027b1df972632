#include "outerloop/sweep/plan.h"

#include <set>

#include "outerloop/config/print.h"
#include "outerloop/config/read.h"
#include "support/message_of.h"
#include "support/variable.h"
#include "sweep/sweep_folder.h"

namespace outerloop::sweep {
namespace {

using Words = std::vector<std::string>;
class PlanTest : public SweepTest {};

struct Expansion {
  const char* name;
  const char* spec;
  Words points;
};

class Expanded : public SweepTest, public testing::WithParamInterface<Expansion> {};

TEST_P(Expanded, GivesThesePoints) {
  EXPECT_EQ(words(plan(GetParam().spec)), GetParam().points);
}

INSTANTIATE_TEST_SUITE_P(
    All, Expanded,
    testing::Values(
        Expansion{"Grid",
                  "grid: {inner.rate: [0.1, 0.20], inner.steps: [1, 2]}\n",
                  {"inner.rate=0.1 inner.steps=1", "inner.rate=0.1 inner.steps=2",
                   "inner.rate=0.2 inner.steps=1", "inner.rate=0.2 inner.steps=2"}},
        Expansion{"LinearRange",
                  "grid: {inner.rate: {from: 0, to: 1, points: 3}}\n",
                  {"inner.rate=0", "inner.rate=0.5", "inner.rate=1"}},
        Expansion{"LogarithmicRange",
                  "grid: {inner.rate: {from: 1e-3, to: 1, points: 4, scale: log}}\n",
                  {"inner.rate=0.001", "inner.rate=0.01", "inner.rate=0.1", "inner.rate=1"}},
        Expansion{"WholeRange",
                  "grid: {inner.steps: {from: 2, to: 4}}\n",
                  {"inner.steps=2", "inner.steps=3", "inner.steps=4"}},
        Expansion{"WholeLogarithmicRangeMeetsItself",
                  "grid: {inner.steps: {from: 1, to: 4, points: 5, scale: log}}\n",
                  {"inner.steps=1", "inner.steps=2", "inner.steps=3", "inner.steps=4"}},
        Expansion{"List",
                  "list:\n- {inner.rate: 0.3}\n- {model.hidden: [8, 9], model.activation: tanh}\n",
                  {"inner.rate=0.3", "model.hidden=[8, 9] model.activation=tanh"}},
        Expansion{"ListsAsValues",
                  "grid: {model.hidden: [[8], [8, 9]]}\n",
                  {"model.hidden=[8]", "model.hidden=[8, 9]"}},
        Expansion{"SeedCount", "seeds: 2\nset: {seed: 5}\n", {"seed=5", "seed=6"}},
        Expansion{"SeedList",
                  "seeds: [7, 3]\nlist: [{inner.rate: 0.1}]\n",
                  {"inner.rate=0.1 seed=7", "inner.rate=0.1 seed=3"}},
        Expansion{"LeftOut",
                  "grid: {inner.rate: [0.1, 0.2], inner.steps: [1, 2, 3]}\n"
                  "leave_out:\n- {inner.rate: 0.10, inner.steps: {from: 2, to: 9}}\n"
                  "- {inner.steps: [3]}\n",
                  {"inner.rate=0.1 inner.steps=1", "inner.rate=0.2 inner.steps=1",
                   "inner.rate=0.2 inner.steps=2"}},
        Expansion{"EqualConfigsAreOnePoint",
                  "grid: {inner.rate: [0.1, 1e-1]}\nlist: [{inner.rate: 0.10}]\n",
                  {"inner.rate=0.1"}},
        Expansion{"KeysThatThePointLeavesWithoutEffectAreDropped",
                  "grid: {learner.algorithm: [maml, r2d2], inner.rate: [0.1, 0.2]}\n"
                  "set: {inner.steps: 3}\n",
                  {"learner.algorithm=maml inner.rate=0.1", "learner.algorithm=maml inner.rate=0.2",
                   "learner.algorithm=r2d2"}},
        Expansion{"TheBaseAlone", "", {"the base config"}}),
    [](const auto& one) { return one.param.name; });

struct Refusal {
  const char* name;
  const char* spec;  // from line 2 of the file
  const char* error;
};

class Refused : public SweepTest, public testing::WithParamInterface<Refusal> {};

TEST_P(Refused, WithThePlace) {
  try {
    plan(GetParam().spec);
    FAIL() << "was taken";
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find(GetParam().error), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Refused,
    testing::Values(
        Refusal{"UnknownKey", "grid: {inner.rat: [1]}\n",
                "spec.yaml:2:8: unknown key 'inner.rat'; did you mean 'inner.rate'?"},
        Refusal{"UnknownWord", "gird: {inner.rate: [1]}\n",
                "spec.yaml:2:1: sweep: unknown word 'gird'; did you mean 'grid'?"},
        Refusal{"Section", "grid: {inner: [1]}\n",
                "spec.yaml:2:8: 'inner' is a section; write whole keys, such as inner.steps"},
        Refusal{"Value", "grid: {inner.rate: [0.1, fast]}\n",
                "spec.yaml:2:26: inner.rate: expected a number from 0 up, got 'fast'"},
        Refusal{"TwoAtOnce", "grid: {inner.rate: [fast], inner.steps: [0.5]}\n",
                "spec.yaml:2:42: inner.steps: expected a whole number"},
        Refusal{"NoList", "grid: {inner.rate: 0.1}\n", "2:20: inner.rate: expected a list"},
        Refusal{"Twice", "grid: {inner.rate: [1], inner.rate: [2]}\n",
                "spec.yaml:2:25: 'inner.rate' is given twice, first at "},
        Refusal{"SecondDocument", "---\ngrid: {inner.rate: [1]}\n",
                "spec.yaml:2:1: expected one YAML document, here begins another"},
        Refusal{"RangeOfWords", "grid: {model.activation: {from: 1, to: 2}}\n",
                "model.activation: takes no number, so no range"},
        Refusal{"RangeWithoutEnd", "grid: {inner.steps: {from: 1}}\n",
                "inner.steps: a range needs from and to"},
        Refusal{"RangeUpsideDown", "grid: {inner.steps: {from: 3, to: 1}}\n",
                "inner.steps: from (3) lies above to (1)"},
        Refusal{"LogarithmOfZero", "grid: {inner.rate: {from: 0, to: 1, points: 2, scale: log}}\n",
                "scale log: from must be above 0, got 0"},
        Refusal{"RangeWithoutCount", "grid: {inner.rate: {from: 0, to: 1}}\n",
                "inner.rate: a range in a grid needs points"},
        Refusal{"RandomWithoutPoints", "random: {keys: {inner.rate: [1]}}\n",
                "random: needs points, how many to draw, and keys"},
        Refusal{"RunDir", "set: {run_dir: x}\n", "run_dir: each point has a folder of its own"},
        Refusal{"SeedInGrid", "grid: {seed: [1]}\n", "seed: list seeds under `seeds`"},
        Refusal{"WithoutEffect", "grid: {runtime.threads: [1, 2]}\n",
                "runtime.threads: cannot change results"},
        Refusal{"IdleCondition", "leave_out: [{inner.rate: 0.1}]\n",
                "leave_out: inner.rate is not varied here"},
        Refusal{"NothingLeft", "grid: {inner.rate: [1]}\nleave_out: [{inner.rate: 1}]\n",
                "leave_out leaves no point"},
        Refusal{"TooMany",
                "grid: {inner.steps: {from: 1, to: 1000}, inner.batch: {from: 1, to: 1000}}\n",
                "the grid has more than 100000 points"},
        Refusal{"TooManyWithSeeds", "grid: {inner.steps: {from: 1, to: 1000}}\nseeds: 101\n",
                "spec.yaml: 1000 combinations with 101 seeds each are more than 100000 points; "
                "take fewer values or seeds"},
        Refusal{"KeysThatDoNotGoTogether", "grid: {inner.steps: [1, 5], inner.batch: [0, 11]}\n",
                "spec.yaml:2:29: inner.batch: expected 0 (all) to ways x shots = 10, got 11 (with "
                "inner.steps=1 inner.batch=11); change it or leave_out such points"},
        Refusal{"KeyWithoutEffect", "grid: {outer.momentum: [0, 0.5]}\n",
                "spec.yaml:2:8: outer.momentum: has no effect with outer.optimizer = adam"},
        Refusal{"NoYaml", "grid: {\n", "not readable as YAML"},
        Refusal{"Tab", "grid:\n\tinner.steps: [1]\n", "the line is indented with a tab"}),
    [](const auto& one) { return one.param.name; });

TEST_F(PlanTest, RandomPointsLieInTheirRangesAndFollowFromTheSeed) {
  const auto spec = [](int seed) {
    return "random:\n  points: 60\n  seed: " + std::to_string(seed) +
           "\n  keys:\n    inner.rate: {from: 1e-3, to: 1, scale: log}\n"
           "    inner.steps: {from: 1, to: 3}\n    model.activation: [relu, tanh]\n";
  };
  const Plan first = plan(spec(1));
  EXPECT_EQ(words(first), words(plan(spec(1))));
  EXPECT_NE(words(first), words(plan(spec(2))));
  std::set<std::string> steps, activations;
  int small = 0;
  for (const Point& point : first.points) {
    const double rate = std::stod(point.overrides[0].value);
    EXPECT_GE(rate, 1e-3);
    EXPECT_LE(rate, 1);
    small += rate < 0.0316;
    steps.insert(point.overrides[1].value);
    activations.insert(point.overrides[2].value);
  }
  EXPECT_EQ(first.points.size(), 60U);
  EXPECT_NEAR(small, 30, 15);
  EXPECT_EQ(steps, (std::set<std::string>{"1", "2", "3"}));
  EXPECT_EQ(activations.size(), 2U);
}

TEST_F(PlanTest, TheHashIsThatOfTheResolvedConfig) {
  const Plan made = plan("set: {outer.meta_batch: 3}\nlist: [{inner.rate: 0.25}]\n");
  const Words overrides{"outer.meta_batch=3", "inner.rate=0.25"};
  const auto resolved = config::read_config(folder_ / "base.yaml", overrides);
  EXPECT_EQ(made.points[0].hash, config::config_hash(resolved.config));
}

TEST_F(PlanTest, PlannedAgainItIsTheSameBytesAndReadsBack) {
  const char* spec = "grid: {inner.rate: [0.1, 0.2]}\nseeds: 2\n";
  const Plan made = plan(spec);
  EXPECT_TRUE(write_plan(made, sweep_));
  const std::string lines = read_file(sweep_.manifest());
  EXPECT_FALSE(write_plan(plan(spec), sweep_));
  EXPECT_EQ(read_file(sweep_.manifest()), lines);
  EXPECT_EQ(lines.substr(0, lines.find('\n')),
            "{\"point\":0,\"hash\":\"" + made.points[0].hash +
                "\",\"overrides\":{\"inner.rate\":\"0.1\",\"seed\":\"0\"}}");
  const Plan read = read_plan(sweep_);
  EXPECT_EQ(read.base, made.base);
  EXPECT_EQ(words(read), words(made));
}

TEST_F(PlanTest, AnotherPlanReplacesOneThatHasNotBegunAndNoOther) {
  write_plan(plan("grid: {inner.rate: [0.1]}\n"), sweep_);
  EXPECT_TRUE(write_plan(plan("grid: {inner.rate: [0.2]}\n"), sweep_));
  EXPECT_EQ(words(read_plan(sweep_)), Words{"inner.rate=0.2"});
  std::filesystem::create_directories(sweep_.points());
  EXPECT_FALSE(write_plan(plan("grid: {inner.rate: [0.2]}\n"), sweep_));
  try {
    write_plan(plan("grid: {inner.rate: [0.3]}\n"), sweep_);
    FAIL() << "was taken";
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find("plan into a new folder with --out"),
              std::string::npos);
  }
}

TEST_F(PlanTest, AListOfPointsThatCannotBeReplacedIsNamed) {
  std::filesystem::create_directories(sweep_.manifest() / "a folder that is not empty");
  EXPECT_CONTAINS(message_of<BadInput>([&] { write_plan(plan("seeds: 2\n"), sweep_); }),
                  "sweep.jsonl: cannot be replaced: ");
}

TEST_F(PlanTest, AFolderOfSomethingElseIsRefusedButNotOneOfAKilledPlanning) {
  std::filesystem::create_directories(sweep_.root);
  std::ofstream(sweep_.base()) << "seed: 1\n";
  std::ofstream(sweep_.root / ".tmp-sweep.jsonl-17-1") << "half";
  EXPECT_TRUE(write_plan(plan("seeds: 2\n"), sweep_));
  std::filesystem::remove(sweep_.manifest());
  std::ofstream(sweep_.root / "config.yaml") << "seed: 1\n";
  EXPECT_CONTAINS(message_of<BadInput>([&] { write_plan(plan("seeds: 2\n"), sweep_); }),
                  "holds 'config.yaml' but no sweep.jsonl, so it is no sweep; choose another");
}

TEST_F(PlanTest, ADamagedListOfPointsIsNamed) {
  write_plan(plan("seeds: 2\n"), sweep_);
  std::ofstream(sweep_.manifest(), std::ios::app) << "{\"point\":2\n";
  try {
    read_plan(sweep_);
    FAIL() << "was taken";
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find("sweep.jsonl:3: damaged"), std::string::npos);
  }
}

// A training looks its data set up from the sweep's folder, in any working directory.
class DataSets : public SweepTest {
 protected:
  DataSets() {
    name_in_base("set.h5");
    for (const char* folder : {"datasets", "elsewhere", "elsewhere/datasets"}) {
      std::filesystem::create_directories(folder_ / folder);
    }
  }
  void name_in_base(const std::string& dataset) {
    write("base.yaml",
          "outer: {iterations: 5}\nmodel: {kind: conv4}\n"
          "tasks: {family: images, ways: 5, dataset: " +
              dataset + "}\n");
  }
  std::string place_of(const std::string& name) {
    return std::filesystem::absolute(folder_ / name).lexically_normal().string();
  }
  static std::string dataset_of(const Plan& plan) {
    return config::read_config_text(plan.base, "base").config.tasks.dataset;
  }
};

TEST_F(DataSets, ThoseBesideTheBaseConfigComeBeforeOthersOfTheirName) {
  write("set.h5", "mine");
  write("elsewhere/set.h5", "another");
  const testing_support::Variable data("OUTERLOOP_DATA", (folder_ / "elsewhere").string());
  EXPECT_EQ(dataset_of(plan("")), place_of("set.h5"));
}

TEST_F(DataSets, ThoseOfTheWorkingDirectoryAreFoundFromElsewhere) {
  write("elsewhere/set.h5", "here");
  const std::filesystem::path earlier = std::filesystem::current_path();
  std::filesystem::current_path(folder_ / "elsewhere");
  const Plan made = plan("");
  std::filesystem::current_path(earlier);
  EXPECT_EQ(dataset_of(made), place_of("elsewhere/set.h5"));
}

TEST_F(DataSets, ThoseOfPointsLieBesideTheBaseConfigToo) {
  for (const char* name : {"set.h5", "a.h5", "b.h5"}) write(name, "images");
  EXPECT_EQ(words(plan("grid: {tasks.dataset: [a.h5, ./a.h5, b.h5]}\n")),
            (Words{"tasks.dataset=" + place_of("a.h5"), "tasks.dataset=" + place_of("b.h5")}));
  EXPECT_EQ(words(plan("list: [{tasks.dataset: a.h5}]\nrandom: {points: 1, keys: {tasks.dataset: "
                       "[b.h5]}}\nseeds: 1\n")),
            (Words{"tasks.dataset=" + place_of("a.h5") + " seed=0",
                   "tasks.dataset=" + place_of("b.h5") + " seed=0"}));
  EXPECT_EQ(
      words(plan("grid: {tasks.dataset: [a.h5, b.h5]}\nleave_out: [{tasks.dataset: a.h5}]\n")),
      Words{"tasks.dataset=" + place_of("b.h5")});
}

TEST_F(DataSets, ThatAreNotThereAreNamedWhereTheyAreSet) {
  EXPECT_CONTAINS(message_of<BadInput>([&] { plan(""); }), "base.yaml:3:");
  write("set.h5", "images");
  EXPECT_CONTAINS(message_of<BadInput>([&] { plan("grid: {tasks.dataset: [set.h5, none.h5]}\n"); }),
                  "spec.yaml:2:8: none.h5: no such file; looked for " + place_of("none.h5"));
}

TEST_F(DataSets, NamedLikeThoseOfTheProgramComeBeforeThem) {
  const std::string shipped = "datasets/omniglot28.h5";
  name_in_base(OUTERLOOP_SOURCE_DIR "/configs/" + shipped);
  EXPECT_EQ(dataset_of(plan("")), OUTERLOOP_SOURCE_DIR "/configs/" + shipped);
  name_in_base(shipped);
  write("elsewhere/" + shipped, "another");
  {
    const testing_support::Variable data("OUTERLOOP_DATA", (folder_ / "elsewhere").string());
    EXPECT_EQ(dataset_of(plan("")), shipped) << "each host has a place of its own";
  }
  write(shipped, "mine");
  EXPECT_EQ(dataset_of(plan("")), place_of(shipped));
}

}  // namespace
}  // namespace outerloop::sweep
