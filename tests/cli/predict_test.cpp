// predict as its user calls it: images, points and rows of a table.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/call.h"
#include "cli/process.h"
#include "cli/stored_runs.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/train/predictor.h"
#include "support/message_of.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

TEST(PredictCommand, AnswersImagesWithClassProbabilities) {
  const fs::path folder = fresh_folder("results_predict");
  const fs::path support = train::write_images(folder / "support", {0, 4, 8}, 2);
  const fs::path query = train::write_images(folder / "query", {0, 8}, 3, 4);
  const fs::path out = folder / "predictions.csv";
  const Result result = call({"predict", image_run().string(), "--support", support.string(),
                              "--query", query.string(), "--out", out.string()});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_TRUE(contains(result.out, "3 classes, 6 support images, 6 queries")) << result.out;
  EXPECT_TRUE(contains(result.out, "transductive")) << result.out;
  EXPECT_TRUE(contains(result.out, "of 6 queries with a known class are right"));
  const auto rows = table(out);
  ASSERT_EQ(rows.size(), 7u);
  EXPECT_EQ(rows[0], (Words{"file", "class", "p(square10)", "p(square14)", "p(square18)"}));
  EXPECT_EQ(rows[1][0], "square10/4.png");
  for (size_t i = 1; i < rows.size(); ++i) {
    EXPECT_NEAR(std::stod(rows[i][2]) + std::stod(rows[i][3]) + std::stod(rows[i][4]), 1, 1e-5);
    const auto best = std::max_element(rows[i].begin() + 2, rows[i].end(), [](auto& a, auto& b) {
      return std::stod(a) < std::stod(b);
    });
    EXPECT_EQ("p(" + rows[i][1] + ")", rows[0][static_cast<size_t>(best - rows[i].begin())]);
  }
}

// Prototypes of single images answer the images themselves.
TEST(PredictCommand, NamesTheClassesOfItsOwnSupportImages) {
  const fs::path run = train::train_tiny("results_prototypes", train::kTinyImages,
                                         {"learner.algorithm=protonet", "model.norm=none",
                                          "outer.iterations=30", "validation.every=0"});
  const fs::path folder = fresh_folder("results_own_support");
  const fs::path support = train::write_images(folder / "support", {0, 4, 8}, 1);
  const Result result = call({"predict", run.string(), "--support", support.string(), "--query",
                              support.string(), "--out", (folder / "out.csv").string()});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_CONTAINS(result.out, "3 of 3 queries with a known class are right");
  for (const auto& row : table(folder / "out.csv")) {
    const std::string name = row[0].substr(0, row[0].find('/'));
    EXPECT_EQ(name == "file" ? "class" : name, row[1]);
  }
}

TEST(PredictCommand, NamesNoClassWhereTheAdaptationDiverged) {
  const fs::path run =
      train::train_tiny("results_diverged", train::kTinyImages,
                        {"outer.iterations=0", "validation.every=0", "inner.rate=1e38"});
  const fs::path folder = fresh_folder("results_diverged_predict");
  const fs::path support = train::write_images(folder / "support", {0, 4, 8}, 2);
  train::write_images(folder, {0}, 2, 4);
  write_file_atomically(folder / "q.csv",
                        "path,label\nsquare10/4.png,square10\nsquare10/5.png,square10\n");
  const fs::path out = folder / "out.csv";
  const Result result = call({"predict", run.string(), "--support", support.string(), "--query",
                              (folder / "q.csv").string(), "--out", out.string()});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_TRUE(contains(result.error, "the adaptation diverged")) << result.error;
  EXPECT_TRUE(contains(result.out, "0 of 2 queries with a known class are right")) << result.out;
  const auto rows = table(out);
  ASSERT_EQ(rows.size(), 3u);
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_EQ(rows[i][1], "") << rows[i][2];
}

TEST(PredictCommand, AnswersPointsWithValues) {
  const fs::path folder = fresh_folder("results_values");
  write_file_atomically(folder / "s.csv", "x,y\n-2,1\n0,0.5\n2,-1\n");
  write_file_atomically(folder / "q.csv", "x\n-1\n1.5\n");
  const fs::path out = folder / "out.csv";
  const Result result =
      call({"predict", sine_run().string(), "--support", (folder / "s.csv").string(), "--query",
            (folder / "q.csv").string(), "--out", out.string(), "test.steps=2"});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_TRUE(contains(result.out, "2 steps of adaptation")) << result.out;
  const auto rows = table(out);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0], (Words{"x", "prediction"}));
  EXPECT_EQ(rows[2][0], "1.5");
  const auto predictor = train::Predictor::open(sine_run(), {.overrides = {"test.steps=2"}});
  const auto adapted =
      predictor.adapt({.x = Tensor::from<float>({3, 1}, std::vector<float>{-2, 0, 2}),
                       .y = Tensor::from<float>({3, 1}, std::vector<float>{1, 0.5F, -1})});
  const Tensor answers = adapted.answer(Tensor::from<float>({2, 1}, std::vector<float>{-1, 1.5F}));
  EXPECT_NE(answers.as<float>()[0], answers.as<float>()[1]);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(std::stof(rows[i + 1][1]), answers.as<float>()[i]);
}

TEST(PredictCommand, SaysHowFarOffTheValuesAreWhereTheyAreKnown) {
  const fs::path folder = fresh_folder("results_known_values");
  write_file_atomically(folder / "s.csv", "x,y\n-2,1\n0,0.5\n2,-1\n");
  write_file_atomically(folder / "q.csv", "y,x\n1,-1\n,0.5\n-0.5,1.5\n");
  const fs::path out = folder / "out.csv";
  const Result result =
      call({"predict", sine_run().string(), "--support", (folder / "s.csv").string(), "--query",
            (folder / "q.csv").string(), "--out", out.string()});
  ASSERT_EQ(result.code, kDone) << result.error;
  const auto rows = table(out);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0], (Words{"x", "prediction"}));
  const double error = std::hypot(std::stod(rows[1][1]) - 1, std::stod(rows[3][1]) + 0.5);
  const std::string said = "y is known for 2 queries: root mean squared error ";
  const size_t at = result.out.find(said);
  ASSERT_NE(at, std::string::npos) << result.out;
  EXPECT_NEAR(std::stod(result.out.substr(at + said.size())), error / std::sqrt(2), 1e-5 * error);
}

// A network's outputs mean the classes that they meant in training.
TEST(PredictCommand, KeepsTheClassesThatTheSupportRowsLack) {
  const fs::path folder = fresh_folder("results_kinds");
  std::string rows = "line,part,place,kind\n";
  for (int line = 0; line < 12; ++line) {
    for (int row = 0; row < 12; ++row) {
      rows += fmt::format("line{},{},{},{}\n", line,
                          line % 3 == 0   ? "val"
                          : line % 3 == 1 ? "test"
                                          : "train",
                          10 * (row % 3) + (row + line) % 4, "abc"[row % 3]);
    }
  }
  write_file_atomically(folder / "kinds.csv", rows);
  const fs::path run = train::train_tiny(
      "results_kinds_run", train::kTinyTable,
      {"tasks.dataset=" + (folder / "kinds.csv").string(), "tasks.table.target=kind",
       "tasks.table.kind=classification", "tasks.table.left_out=[]", "tasks.ways=3",
       "tasks.shots=2", "tasks.queries=2"});
  write_file_atomically(folder / "s.csv", "place,kind\n11,b\n12,b\n21,c\n22,c\n");
  write_file_atomically(folder / "q.csv", "place,kind\n10,b\n13,b\n20,c\n23,c\n");
  const fs::path out = folder / "out.csv";
  const Result result = call({"predict", run.string(), "--support", (folder / "s.csv").string(),
                              "--query", (folder / "q.csv").string(), "--out", out.string()});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_CONTAINS(result.out, "4 of 4 queries with a known class are right");
  EXPECT_EQ(table(out)[0], (Words{"row", "class", "p(a)", "p(b)", "p(c)"}));
}

TEST(PredictCommand, AnswersRowsInTheUnitsOfTheTable) {
  const fs::path folder = fresh_folder("results_rows");
  // height = 500 + 2 (place - 17), columns in another order than the training's.
  write_file_atomically(folder / "s.csv",
                        "height,place,other\n486,10,3\n490,12,9\n494,14,1\n502,18,0\n506,20,7\n"
                        "512,23,5\n");
  write_file_atomically(folder / "q.csv", "other,place,height\n2,11,488\n8,22,510\n4,16,\n");
  const fs::path out = folder / "out.csv";
  const Result result =
      call({"predict", table_run().string(), "--support", (folder / "s.csv").string(), "--query",
            (folder / "q.csv").string(), "--out", out.string()});
  ASSERT_EQ(result.code, kDone) << result.error;
  EXPECT_TRUE(contains(result.out, "6 support rows, 3 query rows")) << result.out;
  EXPECT_TRUE(contains(result.out, "height is known for 2 queries: root mean squared error"));
  const auto rows = table(out);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0], (Words{"row", "height"}));
  EXPECT_NEAR(std::stod(rows[1][1]), 488, 5);
  EXPECT_NEAR(std::stod(rows[2][1]), 510, 5);
}

TEST(PredictCommand, WarnsOfRowsOfSeveralTasksAndOfUnknownCategories) {
  const fs::path folder = fresh_folder("results_several_tasks");
  const fs::path run =
      train::train_tiny("results_categories", train::kTinyTable,
                        {"tasks.table.categories=[note]", "tasks.table.left_out=[]",
                         "outer.iterations=2", "validation.every=0", "test.tasks=0"});
  write_file_atomically(folder / "one.csv",
                        "line,note,place,other,height\na,x,10,3,486\na,x,12,9,490\n");
  write_file_atomically(folder / "two.csv",
                        "line,note,place,other,height\na,x,10,3,486\nb,y,12,9,490\n");
  const auto said = [&](const char* support, const char* query) {
    const Result result =
        call({"predict", run.string(), "--support", (folder / support).string(), "--query",
              (folder / query).string(), "--out", (folder / "out.csv").string()});
    EXPECT_EQ(result.code, kDone) << result.error;
    return result.error;
  };
  const std::string two = "warning: " + (folder / "two.csv").string();
  const std::string unknown =
      two + ": categories that the training never saw count as none: 1 cell of 'note'\n";
  EXPECT_EQ(said("one.csv", "one.csv"), "");
  EXPECT_EQ(said("one.csv", "two.csv"), unknown);
  EXPECT_EQ(said("two.csv", "one.csv"),
            two + ": rows of 2 values of 'line' are adapted to as one task\n" + unknown);
}

// Batch norm over one query is no estimate of anything; beside the support set it is.
TEST(PredictCommand, WarnsOfASingleTransductiveQueryAndNamesTheCure) {
  const fs::path folder = fresh_folder("results_single");
  const Words few{"outer.iterations=5", "validation.every=0", "test.tasks=5", "model.norm=batch"};
  write_file_atomically(folder / "s.csv", "x,y\n-2,1\n0,0.5\n2,-1\n");
  write_file_atomically(folder / "q.csv", "x\n1\n");
  write_file_atomically(folder / "rows.csv", "place,other,height\n10,3,486\n12,9,490\n");
  write_file_atomically(folder / "row.csv", "place,other\n11,2\n");
  const struct {
    fs::path run, support, query;
  } cases[] = {
      {image_run(), train::write_images(folder / "support", {0, 4, 8}, 2),
       train::write_images(folder / "query", {0}, 1, 4)},
      {train::train_tiny("results_single_sine", train::kTinySine, few), folder / "s.csv",
       folder / "q.csv"},
      {train::train_tiny("results_single_table", train::kTinyTable, few), folder / "rows.csv",
       folder / "row.csv"},
  };
  for (const auto& [run, support, query] : cases) {
    const Words words{"predict", run.string(),   "--support", support.string(),
                      "--query", query.string(), "--out",     (folder / "out.csv").string()};
    const Result together = call(words);
    EXPECT_EQ(together.code, kDone) << together.error;
    EXPECT_TRUE(contains(together.error, "--one-by-one lets it see the support set beside it"));
    EXPECT_FALSE(contains(together.out, "depends on the others")) << together.out;
    const std::string alone = read_file(folder / "out.csv");
    Words beside = words;
    beside.push_back("--one-by-one");
    const Result cured = call(beside);
    EXPECT_EQ(cured.code, kDone) << cured.error;
    EXPECT_EQ(cured.error, "");
    EXPECT_NE(read_file(folder / "out.csv"), alone) << support;
  }
}

TEST(PredictCommand, SaysInOneLineWhatIsWrong) {
  const fs::path folder = fresh_folder("results_wrong");
  const fs::path support = train::write_images(folder / "support", {0, 4, 8}, 2);
  const fs::path four = train::write_images(folder / "four", {0, 4, 8, 12}, 1);
  const fs::path broken = train::write_images(folder / "broken", {0, 4}, 1);
  write_file_atomically(broken / "square10" / "9.png", "no image");
  write_file_atomically(folder / "one.csv", "a,b\n1,2\n");
  const auto error = [&](const fs::path& run, const fs::path& s, const fs::path& q) {
    const Result result = call({"predict", run.string(), "--support", s.string(), "--query",
                                q.string(), "--out", (folder / "out.csv").string()});
    EXPECT_EQ(result.code, kBadInput) << result.error;
    EXPECT_EQ(std::ranges::count(result.error, '\n'), 1) << result.error;
    return result.error;
  };
  EXPECT_TRUE(contains(error(image_run(), folder / "none", support), "no such file or folder"));
  EXPECT_TRUE(contains(error(image_run(), support / "square10", support), "no class folder"));
  EXPECT_TRUE(contains(error(image_run(), four, support), "4 classes"));
  EXPECT_TRUE(contains(error(image_run(), broken, support), "square10/9.png"));
  EXPECT_TRUE(contains(error(image_run(), support, folder / "empty"), "no such file"));
  EXPECT_TRUE(contains(error(sine_run(), folder / "one.csv", folder / "one.csv"), "column 'x'"));
  EXPECT_TRUE(contains(error(sine_run(), support, support), "expected a CSV file"));
  write_file_atomically(folder / "rows.csv", "place,other,height\n1,,3\n");
  EXPECT_TRUE(contains(error(table_run(), folder / "one.csv", folder / "one.csv"),
                       "expected a column 'place' (a feature), it has a, b"));
  EXPECT_TRUE(contains(error(table_run(), folder / "rows.csv", folder / "rows.csv"),
                       "row 2, column other: the cell is missing"));
  write_file_atomically(folder / "rows.csv", "place,other,height\n1,2,\n");
  EXPECT_TRUE(
      contains(error(table_run(), folder / "rows.csv", folder / "rows.csv"),
               "row 2, column height: the target is missing; fill it in, or leave the row"));
  write_file_atomically(folder / "rows.csv", "1,2,3\n4,5,6\n");
  EXPECT_TRUE(contains(error(table_run(), folder / "rows.csv", folder / "rows.csv"),
                       "write a line with the names of the columns above it"));
  write_file_atomically(folder / "rows.csv", "place;other;height\n1,5;2;3\n");
  EXPECT_TRUE(contains(error(table_run(), folder / "rows.csv", folder / "rows.csv"),
                       "write commas between fields and points in numbers"));
  EXPECT_FALSE(fs::exists(folder / "out.csv"));
}

// What Python reads of exported parameters, as "<name> <type> <shape> <first> <last>" lines.
}  // namespace
}  // namespace outerloop::cli
