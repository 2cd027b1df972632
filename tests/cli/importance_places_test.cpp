// outerloop importance RUN where groups are places: of an image, or along the input.

#include <functional>
#include <set>

#include "cli/importance_runs.h"
#include "outerloop/base/student_t.h"

namespace outerloop::cli {
namespace {

// Of "class,mean,low,high,,deviation,,,,tasks,…".
void expect_interval_of_student(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> fields;
  for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
  ASSERT_GE(fields.size(), 10u) << text;
  const int64_t tasks = std::stoll(fields[9]);
  if (tasks == 1) {
    EXPECT_EQ(fields[2] + fields[3] + fields[5], "") << text;
    return;
  }
  const double mean = std::stod(fields[1]);
  const double half = student_t_quantile(0.975, tasks - 1) * std::stod(fields[5]) /
                      std::sqrt(static_cast<double>(tasks));
  EXPECT_NEAR(std::stod(fields[2]), mean - half, 1e-9) << text;
  EXPECT_NEAR(std::stod(fields[3]), mean + half, 1e-9) << text;
}

TEST(ImportanceOfPlaces, MapsImages) {
  const TemporaryFolder folder;
  const Result result = importance(image_run(), folder / "out", {"--patch", "3", "--tasks", "6"});
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = result_of(folder / "out");
  EXPECT_EQ(found["metrics"].size(), 2u);
  EXPECT_EQ(found["metrics"][0]["estimands"][0]["groups"].size(), 16u);
  const std::string page = read_file(folder / "out/report.html");
  EXPECT_TRUE(contains(page, "Blue: the learner needs the place"));
  EXPECT_TRUE(contains(page, "Class by class"));
  EXPECT_TRUE(contains(page, "<image href=\"data:image/png;base64,"));
  int64_t several = 0;  // classes in more than one task
  for (const json& one : found["classes"]) {
    ASSERT_EQ(one["means"].size(), 16u);
    EXPECT_EQ(one.contains("ci95"), one["tasks"] > 1);
    if (!one.contains("ci95")) continue;
    ++several;
    ASSERT_EQ(one["ci95"].size(), 16u);
    for (size_t g = 0; g < 16; ++g) {
      EXPECT_LE(one["ci95"][g][0], one["means"][g]);
      EXPECT_GE(one["ci95"][g][1], one["means"][g]);
    }
  }
  EXPECT_GT(several, 0) << found["classes"];
  EXPECT_TRUE(contains(page, " of 16 places with a 95 % interval that leaves 0 out"));
  // A line for each group and class, as wide as the others.
  std::istringstream csv(read_file(folder / "out/importance.csv"));
  std::string line;
  std::getline(csv, line);
  const auto commas = std::ranges::count(line, ',');
  size_t of_classes = 0;
  while (std::getline(csv, line)) {
    if (!line.ends_with(",,,,,,")) continue;
    ++of_classes;
    EXPECT_EQ(std::ranges::count(line, ','), commas + 1) << "and that in the name of the square";
    expect_interval_of_student(line.substr(line.find("\",") + 2));
  }
  EXPECT_EQ(of_classes, 16 * found["classes"].size());
}

// Of more groups than a picture has room for.
TEST(ImportanceOfPlaces, ShowsTheLeadingPlacesWithBandsAndSaysSo) {
  const TemporaryFolder folder;
  const Words words{"--patch",     "2",     "--tasks",   "12",
                    "--estimands", "query", "--metrics", "accuracy"};
  ASSERT_EQ(importance(image_run(), folder / "out", words).code, kDone);
  const std::string page = read_file(folder / "out/report.html");
  const auto count = [&](const std::string& text) {
    int64_t found = 0;
    for (size_t at = page.find(text); at != page.npos; at = page.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("<rect class=\"bar "), 30);
  EXPECT_GT(count("class=\"whisker"), 0);
  EXPECT_EQ(count("Task by task"), 1);
  EXPECT_EQ(count("<tr><td>query</td>"), 30);
  EXPECT_EQ(count("The 30 largest of 36 groups; importance.json has all."), 3)
      << "bars, tasks, table";
  for (const json& place : result_of(folder / "out")["metrics"][0]["estimands"][0]["groups"]) {
    const double mean = place["mean"].get<double>();
    const double half = place["band95"][1].get<double>() - mean;
    if (half == 0) continue;
    EXPECT_EQ(count(fmt::format("{}: {:.4g} ± {:.2g} accuracy</title>",
                                place["group"].get<std::string>(), mean, half)),
              1)
        << "on the map";
  }
}

TEST(ImportanceOfPlaces, MapsSuperpixels) {
  const TemporaryFolder folder;
  const Words words{"--superpixels", "9", "--tasks", "6", "--estimands", "query,drop"};
  const Result result = importance(image_run(), folder / "out", words);
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = result_of(folder / "out");
  const size_t groups = found["metrics"][0]["estimands"][0]["groups"].size();
  EXPECT_GE(groups, 5u);
  EXPECT_LE(groups, 18u);
  EXPECT_EQ(found["pixels"]["groups"], "superpixels");
  ASSERT_EQ(found["pixels"]["of"].size(), 12u);  // rows of pixels
  for (const json& one : found["classes"]) EXPECT_EQ(one["means"].size(), groups);
  const std::string page = read_file(folder / "out/report.html");
  for (const char* words_of_page :
       {"superpixels (SLIC on the mean training image)", "Blue: the learner needs the place",
        "class=\"outline\"", "<title>1 at "}) {
    EXPECT_TRUE(contains(page, words_of_page)) << words_of_page;
  }
}

TEST(ImportanceOfPlaces, TellsPiecesOfLines) {
  const TemporaryFolder folder;
  const Words words{"--strokes", "3", "--tasks", "6", "--estimands", "query,support,drop"};
  const Result result = importance(image_run(), folder / "out", words);
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = result_of(folder / "out");
  EXPECT_GT(group_of(found, "query", "piece 1")["mean"].get<double>(), 0);
  EXPECT_FALSE(group_of(found, "drop", "piece 3 and smaller").is_null());
  EXPECT_EQ(found["pixels"]["groups"], "line pieces");
  EXPECT_FALSE(found["pixels"].contains("of")) << "each image has its own";
  for (const json& one : found["classes"]) EXPECT_EQ(one["example"].size(), 12u);
  const std::string page = read_file(folder / "out/report.html");
  for (const char* words_of_page : {"cut where lines meet", "piece 1", "class=\"outline\""}) {
    EXPECT_TRUE(contains(page, words_of_page)) << words_of_page;
  }
}

// A round of a budget has some of the groups: these keep their pieces.
TEST(ImportanceOfPlaces, PiecesOfLinesAreTheSameAloneAndTogether) {
  const TemporaryFolder folder;
  const Words words{"--strokes", "2",       "--budget", "auto",        "--half-width",
                    "0.02",      "--tasks", "300",      "--estimands", "query"};
  ASSERT_EQ(importance(image_run(), folder / "out", words).code, kDone);
  const json rounds = result_of(folder / "out")["budget"]["rounds"];
  ASSERT_GT(rounds.size(), 1u);
  const auto some =
      std::ranges::find_if(rounds, [](const json& r) { return r["groups"].size() == 1; });
  EXPECT_NE(some, rounds.end()) << rounds;
}

// Classes have the same number of queries, so the mean over all classes is the mean over all rows.
TEST(ImportanceOfPlaces, ClassesAddUpToTheWhole) {
  const TemporaryFolder folder;
  const Words words{"--patch", "6", "--tasks", "6", "--estimands", "query"};
  ASSERT_EQ(importance(image_run(), folder / "out", words).code, kDone);
  const json found = result_of(folder / "out");
  double whole = 0;
  for (const json& group : found["metrics"][0]["estimands"][0]["groups"]) {
    whole += group["mean"].get<double>();
  }
  double parts = 0;
  int64_t members = 0;
  for (const json& one : found["classes"]) {
    const auto tasks = one["tasks"].get<int64_t>();
    members += tasks;
    for (const double mean : one["means"]) parts += static_cast<double>(tasks) * mean;
  }
  ASSERT_EQ(members, 18);  // 6 tasks of 3 classes: all are named
  EXPECT_NEAR(parts / static_cast<double>(members), whole, 1e-9);
}

TEST(ImportanceOfPlaces, SaysWhereAlongTheInputAdaptationReads) {
  const TemporaryFolder folder;
  ASSERT_EQ(importance(sine_run(), folder / "out", {"--bins", "5"}).code, kDone);
  const json found = result_of(folder / "out");
  const json& groups = found["metrics"][0]["estimands"][0]["groups"];
  EXPECT_EQ(found["metrics"][0]["estimands"][0]["estimand"], "labels");
  ASSERT_EQ(groups.size(), 5u);
  double sum = 0;
  for (const json& group : groups) sum += group["mean"].get<double>();
  EXPECT_GT(sum, 0);  // wrong labels harm
  EXPECT_TRUE(contains(read_file(folder / "out/report.html"), "Where adaptation reads"));
}

TEST(ImportanceOfPlaces, NamesPlacesApartHoweverNarrow) {
  const TemporaryFolder folder;
  const fs::path run = train::train_tiny("importance_narrow", train::kTinySine,
                                         {"tasks.sinusoid.x=[0, 0.05]", "outer.iterations=1"});
  const Result result = importance(run, folder / "out", {"--bins", "10", "--tasks", "8"});
  ASSERT_EQ(result.code, kDone) << result.error;
  const json found = result_of(folder / "out");
  std::set<std::string> names;
  for (const json& group : found["metrics"][0]["estimands"][0]["groups"]) {
    names.insert(group["group"].get<std::string>());
  }
  EXPECT_EQ(names.size(), 10u);
  const auto edges = found["edges"].get<std::vector<double>>();
  ASSERT_EQ(edges.size(), 11u);
  EXPECT_EQ(std::ranges::adjacent_find(edges, std::greater_equal<>()), edges.end());
  EXPECT_NEAR(edges[1], 0.005, 1e-4);
}

// Training has the places 0 and 1, half of the tests have others, beyond either end.
TEST(ImportanceOfPlaces, EachPointIsInABin) {
  std::string table = "line,part,place,height\n";
  for (int line = 0; line < 30; ++line) {
    const char* part = line % 3 == 0 ? "val" : line % 3 == 1 ? "test" : "train";
    for (int row = 0; row < 12; ++row) {
      const bool is_beyond = line % 3 == 1 && line % 2 == 1;
      const int place = row % 2 == 0 ? (is_beyond ? -4 : 0) : (is_beyond ? 5 : 1);
      table += fmt::format("line{},{},{},{}\n", line, part, place, (line % 7 - 3) * place + row);
    }
  }
  const TemporaryFolder folder;
  write_file_atomically(folder / "ends.csv", table);
  const fs::path run = train::train_tiny(
      "importance_ends", train::kTinyTable,
      {"tasks.dataset=" + (folder / "ends.csv").string(), "tasks.table.left_out=[]"});
  // Those beyond are far off.
  const Words words{"--bins", "2", "test.diverged_loss=1e30"};
  ASSERT_EQ(importance(run, folder / "out", words).code, kDone);
  const json found = result_of(folder / "out");
  const json& groups = found["metrics"][0]["estimands"][0]["groups"];
  ASSERT_EQ(groups.size(), 2u);
  // Where half of the tasks had no point in a bin, a quantile would be 0.
  for (const json& group : groups) {
    for (const json& quantile : group["quantiles"]) EXPECT_NE(quantile, 0.0) << group;
  }
}

}  // namespace
}  // namespace outerloop::cli
