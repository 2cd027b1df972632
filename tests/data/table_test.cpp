// Tables: from the file to inputs, and tasks drawn from them.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/draws.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/data/raw_table.h"
#include "outerloop/data/table_family.h"
#include "outerloop/data/table_set.h"
#include "outerloop/io/hdf5.h"

namespace outerloop::data {
namespace {

// a: numbers with a missing cell; b: constant; c: names; y: targets.
constexpr const char* kTable =
    "task,split,a,b,c,y\n"
    "one,train,1,7,red,10\n"
    "two,val,100,7,blue,1\n"
    "one,train,3,7,green,20\n"
    "one,train,,7,red,30\n"
    "one,train,5,7,,40\n"
    "three,test,-1,8,red,0\n"
    "three,test,2,7,red,NA\n";

TableColumns columns() {
  return {.target = "y", .categories = {"c"}, .missing = MissingCells::mean, .flag_missing = true};
}

std::filesystem::path written(const std::string& text, const std::string& name = "t.csv") {
  const auto file = fresh_folder("table") / name;
  write_file_atomically(file, text);
  return file;
}

TEST(RawTable, DoesNotTakeImagesForATable) {
  try {
    RawTable::read(OUTERLOOP_SOURCE_DIR "/configs/datasets/omniglot28.h5");
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find("tasks.family=images"), std::string::npos);
  }
}

std::string refusal(const std::filesystem::path& file, const TableColumns& columns) {
  try {
    load_table_set(file, columns);
  } catch (const BadInput& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(TableSet, LearnsFromTrainingRowsAlone) {
  const TableSet set = load_table_set(written(kTable), columns());
  const TablePreparation& p = set.preparation;
  ASSERT_EQ(p.features.size(), 3U);
  const TableFeature& a = p.features[0];
  EXPECT_DOUBLE_EQ(a.fill, 3);  // of 1, 3, 5; not of 100 and -1
  EXPECT_DOUBLE_EQ(a.mean, 3);
  EXPECT_DOUBLE_EQ(a.scale, std::sqrt(8.0 / 4));  // of 1, 3, 3 (filled), 5
  EXPECT_TRUE(a.has_flag);
  EXPECT_EQ(p.features[1].scale, 1) << "a constant";
  EXPECT_FALSE(p.features[1].has_flag);
  EXPECT_EQ(p.features[2].categories, (std::vector<std::string>{"green", "red"}));
  EXPECT_DOUBLE_EQ(p.target_mean, 25);
  EXPECT_EQ(p.inputs(), 5);
  EXPECT_EQ(set.task_names, (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(set.begin, (std::vector<int64_t>{0, 4, 5, 6}));
  EXPECT_EQ(set.rows_left_out, 1);
  for (size_t split = 0; split < 3; ++split) {
    EXPECT_EQ(set.splits.at(split), std::vector<int32_t>{static_cast<int32_t>(split)});
  }
}

TEST(TableSet, EncodesEachKindOfCell) {
  const TableSet set = load_table_set(written(kTable), columns());
  const auto s = static_cast<float>(2 / std::sqrt(2.0));
  const std::vector<float> expected{-s,
                                    0,
                                    0,
                                    0,
                                    1,  // 1, 7, red
                                    0,
                                    0,
                                    0,
                                    1,
                                    0,  // 3, 7, green
                                    0,
                                    1,
                                    0,
                                    0,
                                    1,  // missing, 7, red
                                    s,
                                    0,
                                    0,
                                    0,
                                    0,  // 5, 7, missing
                                    static_cast<float>(97 / std::sqrt(2.0)),
                                    0,
                                    0,
                                    0,
                                    0,  // blue
                                    static_cast<float>(-4 / std::sqrt(2.0)),
                                    0,
                                    1,
                                    0,
                                    1};
  ASSERT_EQ(set.x.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_FLOAT_EQ(set.x[i], expected[i]) << i;
  const double deviation = std::sqrt(125.0);
  EXPECT_FLOAT_EQ(set.y[0], static_cast<float>(-15 / deviation));
  EXPECT_FLOAT_EQ(set.y[5], static_cast<float>(-25 / deviation));
}

TEST(TableSet, MedianAndRawNumbers) {
  TableColumns wanted = columns();
  wanted.missing = MissingCells::median;
  wanted.standardise = false;
  wanted.flag_missing = false;
  const TableSet set = load_table_set(
      written("task,split,a,y\nt,train,1,2\nt,train,,4\nt,train,2,6\nt,train,9,8\n"), [&] {
        wanted.categories.clear();
        return wanted;
      }());
  EXPECT_EQ(set.x, (std::vector<float>{1, 2, 2, 9}));
  EXPECT_EQ(set.y, (std::vector<float>{2, 4, 6, 8}));
}

TEST(TableSet, ClassesAreOrderedByValueOrName) {
  TableColumns wanted{.target = "y", .classification = true};
  const auto classes = [&](const std::string& rows) {
    return load_table_set(written("task,split,a,y\n" + rows), wanted).preparation.classes;
  };
  EXPECT_EQ(classes("t,train,1,10\nt,train,2,9\nt,train,3,10\n"),
            (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(classes("t,train,1,no\nt,train,2,yes\nt,train,3,10\n"),
            (std::vector<std::string>{"10", "no", "yes"}));
}

TEST(TableSet, Hdf5HoldsTheSameTable) {
  const auto csv = written("task,split,a,y\none,train,1.5,2\none,train,nan,3\ntwo,test,4,5\n");
  const auto h5 = csv.parent_path() / "t.h5";
  io::Hdf5File file = io::Hdf5File::create(h5);
  const std::vector<std::string> tasks{"one", "one", "two"}, splits{"train", "train", "test"};
  file.write_texts("task", tasks);
  file.write_texts("split", splits);
  file.write("a", Tensor::from<float>({3}, std::vector<float>{1.5F, NAN, 4}));
  file.write("y", Tensor::from<int32_t>({3}, std::vector<int32_t>{2, 3, 5}));
  file.close();
  const TableColumns wanted{.target = "y", .missing = MissingCells::mean};
  EXPECT_EQ(fingerprint(load_table_set(h5, wanted)), fingerprint(load_table_set(csv, wanted)));
}

TEST(TableSet, Hdf5CellsAreThoseOfTheCsv) {
  const auto csv = written("task,split,c,id,y\none,train,red,5000000000,2\ntwo,test,blue,7,5\n");
  const auto h5 = csv.parent_path() / "t.h5";
  io::Hdf5File file = io::Hdf5File::create(h5);
  const std::vector<std::string> tasks{" one ", "two"}, splits{"train", "test "},
      colours{"red   ", "blue"};
  file.write_texts("task", tasks);
  file.write_texts("split", splits);
  file.write_texts("c", colours);
  file.write("id", Tensor::from<double>({2}, std::vector<double>{5e9, 7}));
  file.write("y", Tensor::from<int32_t>({2}, std::vector<int32_t>{2, 5}));
  file.close();
  const TableColumns wanted{.target = "y", .categories = {"c"}};
  EXPECT_EQ(fingerprint(load_table_set(h5, wanted)), fingerprint(load_table_set(csv, wanted)));
}

TEST(RawTable, Hdf5HoldsWholeNumbersOf64Bits) {
  const RawTable table = RawTable::read(OUTERLOOP_SOURCE_DIR "/tests/data/files/wide_integers.h5");
  const size_t time = *table.find("time"), small = *table.find("small");
  EXPECT_EQ(table.number(time, 0), 1.7e12);
  EXPECT_EQ(table.text(time, 1), "9007199254740993") << "no double holds it";
  EXPECT_EQ(table.number(small, 1), -3);
  try {
    RawTable::read(OUTERLOOP_SOURCE_DIR "/tests/data/files/too_wide_integers.h5");
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_NE(std::string(error.what()).find("expected integers of 64 bits with a sign"),
              std::string::npos)
        << error.what();
  }
}

// A sum of many equal numbers misses them by a little; small units are no constants.
TEST(TableSet, TellsConstantsFromSmallNumbers) {
  std::string text = "task,split,a,b,c,y\n";
  for (int row = 0; row < 100000; ++row) {
    text += fmt::format("t,train,36.6,{}e-13,{},{}\n", row % 9 + 1,
                        row % 2 == 0 ? "0.3" : "0.30000000000000004", row % 2);
  }
  const TableSet set = load_table_set(written(text), {.target = "y"});
  const std::vector<TableFeature>& features = set.preparation.features;
  EXPECT_EQ(features[0].mean, 36.6);
  EXPECT_EQ(features[0].scale, 1);
  EXPECT_NEAR(features[1].scale, 2.58e-13, 1e-15);
  EXPECT_EQ(features[2].scale, 1) << "what rounding leaves is no scale";
}

TEST(TableSet, Hdf5RefusesWhatIsNoColumn) {
  const auto csv = written("task,split,a,y\none,train,1.5,2\n");
  const auto h5 = csv.parent_path() / "t.h5";
  io::Hdf5File file = io::Hdf5File::create(h5);
  file.write("y", Tensor::from<float>({3}, std::vector<float>{1, 2, 3}));
  file.write("a", Tensor(DType::f32, {3, 1}));
  file.close();
  const std::string said = refusal(h5, {.target = "y"});
  EXPECT_NE(said.find("t.h5: a is no column: expected one axis of "), std::string::npos) << said;
}

TEST(TableSet, FingerprintTellsEveryChangeThatCounts) {
  const std::string was = fingerprint(load_table_set(written(kTable), columns()));
  const std::vector<std::pair<std::string, std::string>> changes{
      {"100,7", "101,7"}, {"red,10", "red,11"}, {"two,val", "two,test"}, {"two,", "too,"}};
  for (const auto& [from, to] : changes) {
    std::string text = kTable;
    text.replace(text.find(from), from.size(), to);
    EXPECT_NE(fingerprint(load_table_set(written(text), columns())), was) << from;
  }
  EXPECT_EQ(fingerprint(load_table_set(written(kTable, "renamed.csv"), columns())), was);
}

TEST(TableSet, PreparationSurvivesItsText) {
  const TablePreparation p = load_table_set(written(kTable), columns()).preparation;
  EXPECT_EQ(parse_table_preparation(to_text(p)), p);
  for (const std::string text : {"", "{}", "[1]", R"({"features": 3})"}) {
    EXPECT_THROW(parse_table_preparation(text), CorruptFile) << text;
  }
}

TEST(TableSet, RowsOfAPersonAreEncodedAsTheTables) {
  const TableSet set = load_table_set(written(kTable), columns());
  const TableRows rows = read_table_rows(written("c,note,b,a,y\nred,x,7,1,10\ngreen,y,7,3,\n"),
                                         set.preparation, Targets::where_known, "task");
  EXPECT_EQ(rows.x, std::vector<float>(set.x.begin(), set.x.begin() + 10));
  EXPECT_EQ(rows.y[0], 10);
  EXPECT_TRUE(std::isnan(rows.y[1]));
}

TEST(TableSet, CountsTasksAndUnknownCategoriesOfAPersonsRows) {
  const TableSet set = load_table_set(written(kTable), columns());
  const auto rows = [&](const std::string& task) {
    return read_table_rows(written("t,c,b,a\n1,blue,7,1\n2,,7,3\n1,red,7,3\n2,Red,7,3\n"),
                           set.preparation, Targets::where_known, task);
  };
  EXPECT_EQ(rows("t").tasks, 2U);
  EXPECT_EQ(rows("task").tasks, 0U);
  EXPECT_EQ(rows("t").unknown_categories, (std::vector<int64_t>{0, 0, 2}));
}

TEST(TableSet, RefusesWhatIsNotWhatItShouldBe) {
  struct Case {
    std::string text;
    TableColumns columns;
    std::string says;
  };
  const std::string head = "task,split,a,y\n";
  const TableColumns plain{.target = "y"};
  const std::vector<Case> cases{
      {head, plain, "t.csv: no rows below the header"},
      {head + "t,train,1,2\n",
       {.target = "z"},
       "expected a column 'z' (tasks.table.target), it "
       "has task, split, a, y"},
      {head + "t,train,red,2\n", plain,
       "row 2, column a: expected a finite number, got 'red'; name "
       "the column in tasks.table.categories"},
      {head + "t,train,1,2\nt,train,,2\n", plain, "row 3, column a: the cell is missing"},
      {head + "\nt,train,red,2\n", plain, "row 3, column a: expected a finite number"},
      {"task,split,\"a\nb\",y\nt,train,red,2\n", plain, "row 3, column a\nb: expected a finite"},
      {"task,split,Gr\xf6\xdf"
       "e,y\nt,train,1,2\n",
       plain, "t.csv: the name of column 3 is not UTF-8: save the file as UTF-8"},
      {head + "t,train,1,2\nK\xf6ln,train,1,2\n", plain,
       "row 3, column task: is not UTF-8: save the file as UTF-8"},
      {head + "t,train,inf,2\n", plain, "row 2, column a: expected a finite number, got 'inf'"},
      {head + "t,train,1.797e308,2\n", plain,
       "row 2, column a: expected a number between -1e30 and 1e30, got 1.797e+308; leave the cell "
       "empty if it is missing"},
      {head + "t,training,1,2\n", plain,
       "row 2, column split: expected train, validation (or val) "
       "or test, got 'training'"},
      {head + "t,train,1,2\nt,test,1,2\n", plain,
       "row 3, column split: task 't' is in test here "
       "and in train before"},
      {head + ",train,1,2\n", plain, "row 2, column task: the task is missing"},
      {head + "t,test,1,2\n", plain, "no rows of the split train"},
      {head + "t,train,1,2\n",
       {.target = "y", .features = {"b"}},
       "expected a column 'b' "
       "(tasks.table.features)"},
      {head + "t,train,1,2\n", {.target = "y", .features = {"y"}}, "'y' is the task, the split"},
      {head + "t,train,1,2\n", {.target = "y", .left_out = {"a"}}, "no feature columns"},
      {head + "t,train,1,2\n", {.target = "y", .categories = {"q"}}, "'q' is not a feature"},
      {head + "t,train,1,2\nu,test,1,3\n",
       {.target = "y", .classification = true},
       "row 3, column y: class '3' is in no training row"},
      {"task,split,a,a,y\nt,train,1,2,3\n", plain, "two columns are named 'a'"},
  };
  for (const Case& c : cases) {
    const std::string said = refusal(written(c.text), c.columns);
    EXPECT_NE(said.find(c.says), said.npos) << "expected: " << c.says << "\n     got: " << said;
  }
}

// Tasks of 5 to 9 rows whose only feature counts up, in two classes.
std::shared_ptr<const TableSet> counted(bool classification) {
  std::string text = "task,split,a,y\n";
  int row = 0;
  for (int task = 0; task < 30; ++task) {
    const char* split = task % 3 == 0 ? "train" : task % 3 == 1 ? "val" : "test";
    for (int i = 0; i < 5 + task % 5; ++i) {
      text += "t" + std::to_string(task) + "," + split + "," + std::to_string(row) + "," +
              std::to_string(classification ? i % 2 : 1001 + row) + "\n";
      ++row;
    }
  }
  return std::make_shared<const TableSet>(load_table_set(
      written(text), {.target = "y", .classification = classification, .standardise = false}));
}

TEST(TableFamily, DrawsRowsOfOneTaskWithoutReplacement) {
  const auto set = counted(false);
  const auto family = make_table_family(set, {.shots = 2, .queries = 3});
  std::map<std::string, int> seen;
  for (uint64_t iteration = 0; iteration < 400; ++iteration) {
    const TaskKey key{.seed = 3, .iteration = iteration};
    Episode episode = drawn(*family, key);
    const std::string name = family->describe(key).group;
    ++seen[name];
    const auto task = std::ranges::find(set->task_names, name) - set->task_names.begin();
    const auto begin = static_cast<float>(set->begin[static_cast<size_t>(task)]);
    const auto end = static_cast<float>(set->begin[static_cast<size_t>(task) + 1]);
    std::set<float> rows;
    for (Tensor* x : {&episode.support_x, &episode.query_x}) {
      for (const float row : x->as<float>()) {
        EXPECT_TRUE(row >= begin && row < end) << name;
        rows.insert(row);
      }
    }
    EXPECT_EQ(rows.size(), 5U);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(episode.query_y.as<float>()[i], episode.query_x.as<float>()[i] + 1001);
    }
  }
  EXPECT_EQ(seen.size(), 10U) << "training tasks";
  for (const auto& [name, times] : seen) EXPECT_NEAR(times, 40, 25) << name;
}

TEST(TableFamily, TestsGoRoundTheTasks) {
  const auto family = make_table_family(counted(false), {.shots = 3, .queries = 3});
  std::map<std::string, int> seen;
  for (uint32_t slot = 0; slot < 24; ++slot) {
    ++seen[family->describe({.split = Split::test, .slot = slot}).group];
  }
  EXPECT_EQ(family->tasks(Split::test), 8);
  // Of the ten tasks, two have five rows only.
  ASSERT_EQ(seen.size(), 8U);
  for (const auto& [name, times] : seen) EXPECT_EQ(times, 3) << name;
  const std::vector<std::string> names = family->task_names(Split::test);
  ASSERT_EQ(names.size(), 8U);
  for (uint32_t slot = 0; slot < 24; ++slot) {
    EXPECT_EQ(names[slot % 8], family->describe({.split = Split::test, .slot = slot}).group);
  }
  const Bits first = bits(drawn(*family, {.split = Split::test, .slot = 0}));
  EXPECT_NE(first, bits(drawn(*family, {.split = Split::test, .slot = 8}))) << "rows anew";
}

TEST(TableFamily, LabelsMeanTheSameClassInEachTask) {
  const auto set = counted(true);
  const auto family = make_table_family(set, {.ways = 2, .shots = 1, .queries = 1});
  for (uint32_t slot = 0; slot < 20; ++slot) {
    const TaskKey key{.split = Split::validation, .slot = slot};
    Episode episode = drawn(*family, key);
    EXPECT_EQ(family->describe(key).class_names, (std::vector<std::string>{"0", "1"}));
    const auto task =
        std::ranges::find(set->task_names, family->describe(key).group) - set->task_names.begin();
    for (size_t row = 0; row < 2; ++row) {
      const auto label = static_cast<size_t>(episode.query_y.as<int32_t>()[row]);
      const auto at = 2 * static_cast<size_t>(task) + label;
      const auto place =
          std::ranges::find(set->x, episode.query_x.as<float>()[row]) - set->x.begin();
      EXPECT_TRUE(place >= set->begin[at] && place < set->begin[at + 1]);
    }
  }
}

TEST(TableFamily, IsPure) {
  for (const bool classes : {false, true}) {
    expect_pure(
        *make_table_family(counted(classes), {.ways = classes ? 2 : 1, .shots = 1, .queries = 1}));
  }
}

TEST(TableFamily, RefusesShapesThatTheTableLacks) {
  const auto set = counted(false);
  EXPECT_THROW(make_table_family(set, {.ways = 2}), BadInput);
  EXPECT_THROW(make_table_family(counted(true), {.ways = 3}), BadInput);
  EXPECT_THROW(make_table_family(counted(true), {.ways = 1}), BadInput);
  EXPECT_THROW(make_table_family(set, {.shots = 5000}), BadInput);
  try {
    make_table_family(set, {.shots = 5, .queries = 5})->check(Split::test);
    FAIL();
  } catch (const BadInput& error) {
    EXPECT_STREQ(error.what(),
                 "none of the 10 tasks in the test split of 't' has 5 + 5 rows; set test.shots or "
                 "queries lower");
  }
}

}  // namespace
}  // namespace outerloop::data
