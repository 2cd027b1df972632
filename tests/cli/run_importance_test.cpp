// outerloop importance RUN as its user calls it.

#include "cli/importance_runs.h"

namespace outerloop::cli {
namespace {

// height = 500 + slope (place - 17): `other` says nothing.
TEST(RunImportance, TellsTheFeatureThatMattersInATable) {
  const TemporaryFolder folder;
  const Result result = importance(table_run(), folder / "out", {"--curve"});
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = result_of(folder / "out");
  EXPECT_EQ(found["tasks"], 10);  // of the split, each once
  EXPECT_EQ(found["task_names"][0], "line1");
  const json place = group_of(found, "query", "place");
  const json other = group_of(found, "query", "other");
  EXPECT_GT(place["mean"].get<double>(), 10 * std::abs(other["mean"].get<double>()));
  EXPECT_LT(place["p_joint"].get<double>(), 0.05);
  for (const char* estimand : {"prior", "support", "support_query", "drop", "across", "adaptation",
                               "interaction", "shapley_support", "shapley_query"}) {
    EXPECT_FALSE(group_of(found, estimand, "place").is_null()) << estimand;
  }
  // The shares of the two players add up to the whole.
  EXPECT_NEAR(group_of(found, "shapley_support", "place")["mean"].get<double>() +
                  group_of(found, "shapley_query", "place")["mean"].get<double>(),
              group_of(found, "support_query", "place")["mean"].get<double>(), 1e-9);
  const std::string page = read_file(folder / "out/report.html");
  for (const char* words : {"After adaptation", "Along the inner steps", "Task by task", "place"}) {
    EXPECT_TRUE(contains(page, words)) << words;
  }
}

TEST(RunImportance, CurveAfterSoManyStepsIsTheRunOfSoManySteps) {
  const TemporaryFolder folder;
  const Words words{"--estimands", "query", "--curve"};
  ASSERT_EQ(importance(table_run(), folder / "three", words).code, kDone);
  const Result fewer = importance(table_run(), folder / "two",
                                  {"--metrics", "mse", "--estimands", "query", "test.steps=2"});
  ASSERT_EQ(fewer.code, kDone) << fewer.error;
  const json curve = result_of(folder / "three");
  const json two = result_of(folder / "two");
  for (const char* group : {"place", "other"}) {
    EXPECT_FALSE(group_of(two, "query", group, 2).is_null());
    EXPECT_EQ(group_of(curve, "query", group, 2), group_of(two, "query", group, 2));
    EXPECT_NE(group_of(curve, "query", group, 3), group_of(two, "query", group, 2));
  }
}

TEST(RunImportance, SaysWhatEachEstimandAndGroupIs) {
  const TemporaryFolder folder;
  struct Case {
    fs::path run;
    Words words, says, does_not_say;
  };
  const std::vector<Case> cases{
      {table_run(),
       {"--group", "both=place,other", "--estimands", "drop,across"},
       {"Groups: both (place, other). ", "drop: the group stands at its mean",
        "across: the queries have the group's values of queries of other tasks",
        "2 draws per task and group of across. "},
       {"support:", "query:"}},
      {table_run(),
       {"--group", "high=place", "--estimands", "query,support", "--curve", "--exact"},
       {"Groups: high (place); each other input by itself. ", "query: after adaptation",
        "and so after each step", "Over all donors, without chance: query. ",
        "2 draws per task and group of support. "},
       {"drop:"}},
      {table_run(), {"--estimands", "drop"}, {"nothing is drawn"}, {"per task and group"}},
      {sine_run(),
       {"--bins", "3", "--tasks", "9"},
       {"in each of 3 places", "labels: "},
       {"query:"}},
  };
  for (const Case& c : cases) {
    const Result result = importance(c.run, folder / "out", c.words);
    ASSERT_EQ(result.code, kDone) << result.error;
    const std::string page = read_file(folder / "out/report.html");
    const std::string asked = result.out.substr(0, result.out.find('\n'));
    for (const std::string& words : c.says) EXPECT_PRED2(contains, asked, words);
    for (const std::string& words : c.does_not_say) EXPECT_FALSE(contains(asked, words)) << words;
    EXPECT_PRED2(contains, page, c.says.front());
    fs::remove_all(folder / "out");
  }
}

TEST(RunImportance, NamesTheMembersOfGroupsAndTheTasksThatLoseMost) {
  const TemporaryFolder folder;
  const Words words{"--group", "both=place,other", "--estimands", "query"};
  const Result result = importance(table_run(), folder / "out", words);
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = result_of(folder / "out");
  EXPECT_EQ(found["groups"], json::parse(R"([{"name": "both", "features": ["place", "other"]}])"));
  const json& values = found["metrics"][0]["query_by_task"];
  const auto most = std::ranges::max_element(values, {}, &json::get<double>);
  const json worst = group_of(found, "query", "both")["worst_tasks"];
  ASSERT_EQ(worst.size(), 5u);
  EXPECT_EQ(worst[0], found["task_names"][static_cast<size_t>(most - values.begin())]);
  const auto name = worst[0].get<std::string>();
  EXPECT_PRED2(contains, result.out, ", most in " + name + "\n");
  EXPECT_PRED2(contains, result.out, ", joint p ");
  EXPECT_PRED2(contains, read_file(folder / "out/report.html"), "<td>" + name + "</td></tr>");
  const std::string csv = read_file(folder / "out/importance.csv");
  EXPECT_PRED2(contains, csv, ",q5,q25,q50,q75,q95,most_in\n");
  EXPECT_PRED2(contains, csv, "," + name + "; line");
}

// The story of datasets/flights/README.md: season and temperature matter, the year of the plane
// does not. Dew point and temperature tell most of each other, so that they are permuted together.
TEST(RunImportance, TellsTheStoryOfFlights) {
  const TemporaryFolder folder;
  const fs::path run = folder.path() / "run";
  const Result training =
      call({"train", OUTERLOOP_SOURCE_DIR "/configs/flights_maml.yaml", "run_dir=" + run.string(),
            "outer.iterations=3000", "validation.tasks=55", "report.write=false", "test.tasks=57"});
  ASSERT_EQ(training.code, kDone) << training.error;
  const Result result = importance(run, folder.path() / "out",
                                   {"--group", "season=season_sin,season_cos", "--group",
                                    "warmth=temp,dewp", "--estimands", "query"});
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = result_of(folder.path() / "out");
  const json season = group_of(found, "query", "season");
  const json warmth = group_of(found, "query", "warmth");
  const json year = group_of(found, "query", "plane_year");
  const auto low = [](const json& group) { return group["band95"][0].get<double>(); };
  const auto high = [](const json& group) { return group["band95"][1].get<double>(); };
  EXPECT_GT(low(season), high(year)) << season << year;  // the joint bands are apart
  EXPECT_GT(low(warmth), high(year)) << warmth << year;
  EXPECT_LT(season["p_joint"].get<double>(), 0.05);
  EXPECT_LT(warmth["p_joint"].get<double>(), 0.05);
  EXPECT_GT(season["mean"].get<double>(), 10 * std::abs(year["mean"].get<double>()));
  ASSERT_EQ(
      importance(run, folder.path() / "curve", {"--estimands", "query", "--tasks", "5", "--curve"})
          .code,
      kDone);
  const std::string page = read_file(folder.path() / "curve/report.html");
  EXPECT_TRUE(contains(page, "Along the inner steps"));
  EXPECT_FALSE(contains(page, " s4\"")) << "there are four colours, s0 to s3";
}

TEST(RunImportance, IsTheSameBytesForThreadsShardsAndRestarts) {
  const TemporaryFolder folder;
  const auto bytes = [&](const std::string& name) {
    return read_file(folder / name / "importance.json") + read_file(folder / name / "report.html") +
           read_file(folder / name / "journal/importance.h5");
  };
  ASSERT_EQ(importance(table_run(), folder / "one", {"--threads", "1"}).code, kDone);
  ASSERT_EQ(importance(table_run(), folder / "three", {"--threads", "3"}).code, kDone);
  EXPECT_EQ(bytes("three"), bytes("one"));
  // Again: from the journal.
  ASSERT_EQ(importance(table_run(), folder / "one", {"--threads", "2"}).code, kDone);
  EXPECT_EQ(bytes("three"), bytes("one"));
  const fs::path journal = folder / "parts/journal/importance.h5";
  Words merge{"farm", "merge", journal.string()};
  for (const char* shard : {"0/2", "1/2"}) {
    ASSERT_EQ(importance(table_run(), folder / "parts", {"--shard", shard}).code, kDone);
  }
  for (const char* part : {"importance-0of2.h5", "importance-1of2.h5"}) {
    merge.push_back((journal.parent_path() / part).string());
  }
  ASSERT_EQ(call(merge).code, kDone);
  ASSERT_EQ(importance(table_run(), folder / "parts").code, kDone);
  EXPECT_EQ(bytes("parts"), bytes("one"));
}

TEST(RunImportance, BudgetStopsGroupsThatAreKnownWellEnough) {
  const TemporaryFolder folder;
  const Words words{"--budget", "auto", "--half-width", "0.3",
                    "--tasks",  "400",  "--estimands",  "query,support"};
  ASSERT_EQ(importance(sine_run(), folder / "one", words).code, kDone);
  const json found = result_of(folder / "one");
  const json& budget = found["budget"];
  ASSERT_GT(budget["rounds"].size(), 1u);
  EXPECT_EQ(budget["rounds"][0]["tasks"], 64);
  int64_t tasks = 0;
  int64_t scores = 0;
  for (const json& round : budget["rounds"]) {
    tasks += round["tasks"].get<int64_t>();
    scores += round["tasks"].get<int64_t>() * round["repeats"].get<int64_t>() *
              static_cast<int64_t>(round["groups"].size());
  }
  EXPECT_EQ(budget["tasks"], tasks);
  EXPECT_EQ(budget["evaluations"], scores);
  EXPECT_GT(budget["flops"].get<double>(), 0);
  EXPECT_LE(tasks, 400);
  const bool is_known = budget["wider"].empty();
  EXPECT_TRUE(is_known || tasks == 400);
  const std::string page = read_file(folder / "one/report.html");
  EXPECT_TRUE(contains(page, "Spent " + std::to_string(tasks) + " tasks"));
}

TEST(RunImportance, BudgetSaysWhatItCouldNotLearn) {
  const TemporaryFolder folder;
  const Words words{"--budget", "auto", "--half-width", "0.0001", "--tasks", "10"};
  ASSERT_EQ(importance(table_run(), folder / "one", words).code, kDone);
  const json budget = result_of(folder / "one")["budget"];
  EXPECT_EQ(budget["tasks"], 10);  // as many as there are
  EXPECT_FALSE(budget["wider"].empty());
}

TEST(RunImportance, BudgetIsTheSameBytesForThreadsAndRestarts) {
  const TemporaryFolder folder;
  const Words words{"--budget", "auto", "--half-width", "0.5",
                    "--tasks",  "300",  "--estimands",  "query"};
  const auto run = [&](const char* name, const char* threads) {
    Words all = words;
    all.insert(all.end(), {"--threads", threads});
    EXPECT_EQ(importance(sine_run(), folder / name, all).code, kDone);
    return read_file(folder / name / "importance.json") + read_file(folder / name / "report.html");
  };
  const std::string one = run("one", "1");
  EXPECT_EQ(run("three", "3"), one);
  fs::remove(folder / "three/journal/importance-round2.h5");
  EXPECT_EQ(run("three", "2"), one);
}

TEST(RunImportance, ABudgetAndFixedRepeatsDoNotShareAFolder) {
  const TemporaryFolder folder;
  const Words budget{"--budget", "auto", "--half-width", "0.5", "--tasks", "10"};
  ASSERT_EQ(importance(table_run(), folder / "fixed").code, kDone);
  ASSERT_EQ(importance(table_run(), folder / "rounds", budget).code, kDone);
  const auto expect_refused = [&](const char* name, const Words& words, const std::string& told) {
    const std::string before = read_file(folder / name / "importance.json");
    const Result result = importance(table_run(), folder / name, words);
    EXPECT_EQ(result.code, kBadInput);
    EXPECT_PRED2(contains, result.error, told);
    EXPECT_PRED2(contains, result.error, "choose another folder with --out FOLDER, or remove ");
    EXPECT_EQ(read_file(folder / name / "importance.json"), before);
  };
  expect_refused("fixed", budget,
                 "fixed/journal/importance.h5 is of an importance without --budget auto");
  expect_refused("rounds", {}, "-round1.h5 is of an importance with --budget auto, whose results");
}

TEST(RunImportance, GroupsChangeRowsTogetherAndLeaveTheOthersAlone) {
  const TemporaryFolder folder;
  ASSERT_EQ(importance(table_run(), folder / "apart").code, kDone);
  ASSERT_EQ(importance(table_run(), folder / "both", {"--group", "all=place,other"}).code, kDone);
  const json apart = result_of(folder / "apart");
  const json both = result_of(folder / "both");
  EXPECT_TRUE(group_of(both, "query", "place").is_null());
  EXPECT_GT(group_of(both, "query", "all")["mean"].get<double>(), 0);
  ASSERT_EQ(importance(table_run(), folder / "one", {"--group", "high=place"}).code, kDone);
  EXPECT_EQ(group_of(result_of(folder / "one"), "query", "other"),
            group_of(apart, "query", "other"));
}

TEST(RunImportance, FewTasksHaveNoBandAndOthersNoneNarrowerThanAnInterval) {
  const TemporaryFolder folder;
  const Result few = importance(table_run(), folder / "few", {"--tasks", "3"});
  ASSERT_EQ(few.code, kDone) << few.error;
  EXPECT_TRUE(contains(few.out, "there is no joint band, as 3 tasks have too few")) << few.out;
  EXPECT_TRUE(contains(few.out, "(no band)")) << few.out;
  for (const char* file : {"importance.csv", "report.html", "importance.json"}) {
    EXPECT_FALSE(contains(read_file(folder / "few" / file), "inf,")) << file;
    EXPECT_FALSE(contains(read_file(folder / "few" / file), "± inf")) << file;
  }
  EXPECT_TRUE(contains(read_file(folder / "few/report.html"), "Too few tasks for a joint band."));
  EXPECT_FALSE(contains(read_file(folder / "few/report.html"), "Whiskers: a band"));
  EXPECT_TRUE(group_of(result_of(folder / "few"), "query", "place")["band95"].is_null());
  EXPECT_LE(group_of(result_of(folder / "few"), "query", "place")["p"], 1.0);
  ASSERT_EQ(importance(table_run(), folder / "six", {"--tasks", "6"}).code, kDone);
  const json six = result_of(folder / "six");
  for (const json& finding : six["metrics"][0]["estimands"]) {
    for (const json& group : finding["groups"]) {
      EXPECT_LE(group["band95"][0], group["ci95"][0]) << finding["estimand"] << group;
      EXPECT_GE(group["band95"][1], group["ci95"][1]) << finding["estimand"] << group;
    }
  }
}

TEST(RunImportance, QuotesNamesInItsCsv) {
  const TemporaryFolder folder;
  const Words words{"--group", "a\"b=place,other", "--estimands", "query"};
  ASSERT_EQ(importance(table_run(), folder / "out", words).code, kDone);
  EXPECT_TRUE(contains(read_file(folder / "out/importance.csv"), ",3,\"a\"\"b\","));
}

TEST(RunImportance, SaysWhyNoTaskHasAScore) {
  const TemporaryFolder folder;
  const fs::path wild = train::train_tiny("importance_wild", train::kTinySine,
                                          {"inner.rate=8", "outer.iterations=1"});
  struct Case {
    fs::path run;
    Words words;
    std::string says;
  };
  for (const Case& c :
       {Case{table_run(),
             {"test.queries=1", "--metrics", "r2"},
             "10 of 10 tasks gave numbers that are not finite, or a loss above test.diverged_loss "
             "= 20: r2 of task 0 before any step: it takes two rows or more; raise test.queries"},
        Case{wild,
             {"test.steps=40"},
             " steps: the learner diverges there; lower test.steps, or train with a lower"}}) {
    const Result result =
        importance(c.run, folder / fs::path(c.run).parent_path().filename(), c.words);
    EXPECT_EQ(result.code, kBadInput) << result.out;
    EXPECT_TRUE(contains(result.error, c.says)) << result.error;
  }
}

// By evaluation's rule, whatever the metrics.
TEST(RunImportance, LeavesOutTheTasksThatAnEvaluationCallsDiverged) {
  const TemporaryFolder folder;
  const auto evaluation = [](const Words& more) {
    Words words{"eval", sine_run().string(), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return json::parse(call(words).out);
  };
  const double median = evaluation({})["loss"]["median"];
  const std::string limit = fmt::format("test.diverged_loss={}", median);
  const json by_limit = evaluation({limit});
  ASSERT_EQ(by_limit["diverged"], 30);  // of 60
  std::vector<json> left_out;
  for (const char* metric : {"mse", "mae", "r2"}) {
    const Words words{"--estimands", "query", "--metrics", metric, limit};
    const Result result = importance(sine_run(), folder / metric, words);
    ASSERT_EQ(result.code, kDone) << result.error;
    EXPECT_PRED2(contains, result.out, "a loss above test.diverged_loss");
    left_out.push_back(result_of(folder / metric)["left_out"]);
    EXPECT_EQ(left_out.back().size(), 30u);
    EXPECT_EQ(left_out.back(), left_out.front());
  }
  const json found = result_of(folder / "mse");
  EXPECT_EQ(found["tasks"], 30);
  EXPECT_NEAR(found["metrics"][0]["score"].back()["mean"], -by_limit["loss"]["mean"].get<double>(),
              1e-5);
}

// With the schemes "quarter", "other" and "tests", which has no training classes.
std::string word_for_schemes(const TemporaryFolder& folder) {
  data::ImageSet set = train::tiny_set();
  for (int32_t c = 0; c < 16; ++c) {
    set.splits["other"].classes[c % 4 == 2 ? 2 : c % 4 == 3 ? 1 : 0].push_back(c);
    set.splits["tests"].classes[2].push_back(c);
  }
  data::save_image_set(set, folder / "schemes.h5");
  return "tasks.dataset=" + (folder / "schemes.h5").string();
}

TEST(RunImportance, AnotherSplitSchemeIsAnotherJob) {
  const TemporaryFolder folder;
  const std::string dataset = word_for_schemes(folder);
  const auto by = [&](const Words& scheme) {
    Words words{"--estimands", "query", "--tasks", "6", dataset};
    words.insert(words.end(), scheme.begin(), scheme.end());
    return importance(image_run(), folder / "out", words);
  };
  ASSERT_EQ(by({"tasks.split=quarter"}).code, kDone);
  EXPECT_EQ(result_of(folder / "out")["split_scheme"], "quarter");
  const Result other = by({"tasks.split=other"});
  EXPECT_EQ(other.code, kBadInput);
  EXPECT_PRED2(contains, other.error, "is the journal of another job");
  const Result fewer =
      importance(image_run(), folder / "out", {"--estimands", "query", "--tasks", "5", dataset});
  EXPECT_EQ(fewer.code, kBadInput);
  EXPECT_PRED2(contains, fewer.error,
               "): it has other cells, 6 instead of 5; choose another folder with --out FOLDER\n");
  EXPECT_EQ(by({}).code, kDone) << "the default scheme is the same one";
}

TEST(RunImportance, WithoutTrainingTasksNothingIsLeftOutByTheirMean) {
  const TemporaryFolder folder;
  std::string rows;
  for (const std::string& line : lines_of(train::tiny_table())) {
    if (line.starts_with("line,") || contains(line, ",test,")) rows += line + "\n";
  }
  write_file_atomically(folder / "tests.csv", rows);
  write_file_atomically(folder / "whole.csv", train::tiny_table());
  const std::string tests = "tasks.dataset=" + (folder / "tests.csv").string();
  const std::string whole = "tasks.dataset=" + (folder / "whole.csv").string();
  const Result result = importance(table_run(), folder / "out", {tests});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_TRUE(group_of(result_of(folder / "out"), "drop", "place").is_null());
  EXPECT_FALSE(group_of(result_of(folder / "out"), "support", "place").is_null());
  EXPECT_FALSE(contains(result.out, "Training tasks"));
  const Result asked =
      importance(table_run(), folder / "asked", {"--estimands", "query,drop", tests});
  EXPECT_EQ(asked.code, kBadInput);
  EXPECT_EQ(asked.error, "error: --estimands drop needs training tasks, and the train split of " +
                             (folder / "tests.csv").string() +
                             " gives none of the training's shape; leave it out, or name another "
                             "tasks.dataset\n");
  const Words regions{"--superpixels", "9", word_for_schemes(folder), "tasks.split=tests"};
  EXPECT_PRED2(contains, importance(image_run(), folder / "asked", regions).error,
               "--superpixels needs training tasks");
  // Where they are, it says whose.
  const Result own = importance(table_run(), folder / "own", {"--estimands", "drop"});
  EXPECT_PRED2(contains, own.out, "Training tasks are those of tiny.csv. ");
  const Result others = importance(table_run(), folder / "others", {"--estimands", "drop", whole});
  EXPECT_PRED2(contains, others.out, "Training tasks are those of whole.csv. ");
}

TEST(RunImportance, DonorsOfTheClassLeaveOtherTasksOut) {
  const TemporaryFolder folder;
  const Result result =
      importance(image_run(), folder / "out", {"--donors", "within_class", "--tasks", "6"});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_PRED2(contains, result.out, "Drawn values come from rows of the same class alone. ");
  const json found = result_of(folder / "out");
  EXPECT_EQ(found["donors"], "within_class");
  std::vector<std::string> estimands;
  for (const json& one : found["metrics"][0]["estimands"]) estimands.push_back(one["estimand"]);
  for (const char* name : {"prior", "query", "support", "support_query", "drop"}) {
    EXPECT_NE(std::ranges::find(estimands, name), estimands.end()) << name;
  }
  EXPECT_EQ(std::ranges::find(estimands, "across"), estimands.end());
}

TEST(RunImportance, SaysInOneLineWhatIsWrong) {
  const TemporaryFolder folder;
  struct Case {
    fs::path run;
    Words words;
    std::string says;
  };
  const std::vector<Case> cases{
      {table_run(), {"--group", "a=nothing"}, "nothing"},
      {table_run(), {"--group", "a=place", "--group", "b=place,other"}, "place"},
      {table_run(), {"--group", "place"}, "expected NAME=FEATURE"},
      {table_run(), {"--tasks", "11"}, "the test split has 10 tasks of this shape"},
      {table_run(), {"--tasks", "1"}, "needs two tasks or more"},
      {table_run(), {"--metrics", "accuracy"}, "accuracy is for classes"},
      {table_run(), {"--metrics", "mes"}, "mes"},
      {table_run(), {"--estimands", "queries"}, "expected some of prior, query"},
      {table_run(), {"--split", "train"}, "--split train: the tasks that a training draws"},
      {table_run(), {"--split", "tset"}, "expected train, validation or test"},
      {table_run(), {"--repeats", "0"}, "--repeats: expected 1 to 10000, got 0"},
      {table_run(), {"--repeats", "99999999999"}, "--repeats: expected 1 to 10000"},
      {table_run(), {"--seed", "-1"}, "--seed: expected 0 to"},
      {table_run(), {"--exact", "--estimands", "support"}, "--exact is of the estimands"},
      {table_run(),
       {"--exact", "--estimands", "query", "--repeats", "3"},
       "--exact draws nothing for prior and query"},
      {table_run(), {"--curve", "--estimands", "drop"}, "--curve is of the estimand query"},
      {prototypes_run(), {"--curve"}, "--curve: the learner takes no inner steps"},
      {table_run(),
       {"--checkpoint", (sine_run() / "ckpt/ckpt-000000400.h5").string()},
       "is a checkpoint of tasks of the family sinusoid, those of "},
      {table_run(), {"--budget", "much"}, "--budget: expected auto"},
      {table_run(), {"--budget", "auto", "--repeats", "3"}, "--budget auto chooses them"},
      {table_run(), {"--budget", "auto", "--half-width", "0"}, "--half-width: expected more"},
      {table_run(), {"--budget", "auto", "--shard", "0/2"}, "which a shard does not have"},
      {table_run(), {"--half-width", "0.1"}, "--half-width is of --budget auto"},
      {table_run(), {"inner.rate=3"}, "inner.rate"},
      {table_run(), {"--donors", "within_class"}, "have numbers, not classes"},
      {table_run(), {"--donors", "ridge_residual"}, "a task has too few rows to fit"},
      {image_run(), {"--donors", "within_class", "--estimands", "across"}, "classes are others"},
      {image_run(),
       {"--donors", "within_class", "--estimands", "drop"},
       "draws values between rows"},
      {image_run(), {"--donors", "class"}, "--donors: expected any or within_class, got 'class'"},
      {image_run(), {"--exact"}, "batch norm couples them"},
      {image_run(), {"--patch", "13"}, "expected 1 to 12 for images of 12 x 12"},
      {image_run(), {"--patch", "0"}, "--patch: expected 1 to 12"},
      {image_run(), {"--superpixels", "37"}, "--superpixels: expected 2 to 36"},
      {image_run(), {"--strokes", "17"}, "--strokes: expected 1 to 16"},
      {image_run(), {"--strokes", "3", "--patch", "4"}, "give one of them"},
      {table_run(), {"--superpixels", "9"}, "are of images; this run has none"},
      {OUTERLOOP_SOURCE_DIR "/configs/iris_importance.yaml", {"--strokes", "3"}, "are for runs"},
      {sine_run(), {"--group", "a=x"}, "names features of a table"},
      {sine_run(), {"--bins", "5", "--group", "a=x"}, "--bins makes the groups itself"},
      {sine_run(), {"--bins", "1"}, "--bins: expected 2 to 1000"},
      {sine_run(), {"--estimands", "labels"}, "is of --bins"},
      {image_run(), {"--bins", "4"}, "tasks with one input"},
      {folder / "none.h5", {}, "no such run folder"},
      {folder / "none", {"--tasks", "3"}, "no such run folder"},
      {OUTERLOOP_SOURCE_DIR "/configs/iris_importance.yaml", {"--tasks", "3"}, "are for runs"},
  };
  const Result nowhere = call({"importance", table_run().string(), "--out", ""});
  EXPECT_EQ(nowhere.code, kBadInput);
  EXPECT_EQ(nowhere.error, "error: --out: expected a folder, got an empty text\n");
  for (const Case& c : cases) {
    const Result result = importance(c.run, folder / "out", c.words);
    EXPECT_EQ(result.code, kBadInput) << c.says;
    EXPECT_TRUE(contains(result.error, c.says)) << result.error;
    EXPECT_EQ(std::ranges::count(result.error, '\n'), 1) << result.error;
  }
}

}  // namespace
}  // namespace outerloop::cli
