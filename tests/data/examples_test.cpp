// Tables of examples as spreadsheets and people write them.

#include "outerloop/data/examples.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/test_files.h"
#include "io/temporary_folder.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "support/message_of.h"

namespace outerloop::data {
namespace {

namespace fs = std::filesystem;

TEST(ExampleTables, MayStartWithAByteOrderMarkAndHaveCapitalEndings) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "POINTS.CSV", "\xEF\xBB\xBFx,y\r\n1,2\r\n");
  const ExamplePoints points = read_example_points(folder / "POINTS.CSV", 1, 1, Targets::required);
  EXPECT_EQ(points.x, std::vector<float>{1});
  EXPECT_EQ(points.y, std::vector<float>{2});

  fs::copy_file(test_file("grey.png"), folder / "grey.png");
  write_file_atomically(folder / "IMAGES.CSV", "path,label\r\ngrey.png,\"a, \xC3\xBC\"\r\n");
  EXPECT_EQ(read_example_images(folder / "IMAGES.CSV", {}).labels,
            std::vector<std::string>{"a, \xC3\xBC"});
}

TEST(ExampleTables, NameTheRowOfAMissingImage) {
  const TemporaryFolder folder;
  fs::copy_file(test_file("grey.png"), folder / "grey.png");
  write_file_atomically(folder / "table.csv", "path\ngrey.png\nnone.png\n");
  const std::string message =
      message_of<BadInput>([&] { read_example_images(folder / "table.csv", {}); });
  EXPECT_CONTAINS(message, "table.csv: row 3, column path: no such file: ");
  EXPECT_CONTAINS(message, "none.png");
}

TEST(ExampleTables, SayWhatToWriteOtherwise) {
  struct {
    const char* text;
    const char* message;
  } const cases[] = {
      {"x;y\n1,5;2\n",
       "are not separated by commas ('x;y'); write commas between fields and points"},
      {"x\ty\n1\t2\n", "are not separated by commas"},
      {"1.5,2\n2,3\n",
       "expected a column 'x', it has 1.5, 2; that looks like data: write a line with the names of "
       "the columns above it"},
      {"a,y\n1,2\n", "expected a column 'x', it has a, y"},
  };
  const TemporaryFolder folder;
  for (const auto& [text, expected] : cases) {
    write_file_atomically(folder / "table.csv", text);
    const std::string message = message_of<BadInput>(
        [&] { read_example_points(folder / "table.csv", 1, 1, Targets::required); });
    EXPECT_CONTAINS(message, expected);
    EXPECT_EQ(std::ranges::count(message, '\n'), 0) << message;
  }
}

TEST(ExampleTables, OfImagesSayWhichLabelIsMissing) {
  struct {
    const char* text;
    const char* message;
  } const cases[] = {
      {"path,label\ngrey.png,a\ngrey.png, \n",
       "table.csv: row 3, column label: empty; write the class of grey.png there"},
      {"path\ngrey.png\n", "table.csv: expected a column 'label', it has path"},
      {"grey.png,a\n", "table.csv: no rows below the header"},
      {"grey.png,a\ngrey.png,b\n",
       "table.csv: expected a first line with the columns path and label, it is grey.png,a"},
  };
  const TemporaryFolder folder;
  fs::copy_file(test_file("grey.png"), folder / "grey.png");
  for (const auto& [text, expected] : cases) {
    write_file_atomically(folder / "table.csv", text);
    EXPECT_CONTAINS(message_of<BadInput>(
                        [&] { read_example_images(folder / "table.csv", {}, Labels::required); }),
                    expected);
  }
  // Queries may have none.
  write_file_atomically(folder / "table.csv", cases[0].text);
  EXPECT_EQ(read_example_images(folder / "table.csv", {}).labels,
            (std::vector<std::string>{"a", ""}));
}

TEST(ExampleTables, MayHaveBlanksAfterTheirCommas) {
  const TemporaryFolder folder;
  fs::copy_file(test_file("grey.png"), folder / "grey.png");
  write_file_atomically(folder / "table.csv", "path, label\ngrey.png, a\n");
  const ExampleImages images = read_example_images(folder / "table.csv", {}, Labels::required);
  EXPECT_EQ(images.names, std::vector<std::string>{"grey.png"});
  EXPECT_EQ(images.labels, std::vector<std::string>{"a"});
}

TEST(ExampleTables, TakeNumbersAsPeopleWriteThem) {
  const TemporaryFolder folder;
  const auto read = [&folder](const std::string& field) {
    write_file_atomically(folder / "table.csv", "x,y\n" + field + ",1\n");
    return read_example_points(folder / "table.csv", 1, 1, Targets::required).x.at(0);
  };
  EXPECT_EQ(read("-5"), -5);
  EXPECT_EQ(read(" +5\t"), 5);
  EXPECT_EQ(read("5e-1 "), 0.5F);
  for (const char* field : {"", " ", " \t ", "+", "-", "++5", "+++5", "+-5", "-+5", "+ 5", "5 6",
                            "5+", "inf", "nan", "1e99", "0x5"}) {
    EXPECT_CONTAINS(
        message_of<BadInput>([&] { read(field); }),
        "table.csv: row 2, column x: expected a finite number, got '" + std::string(field) + "'");
  }
}

}  // namespace
}  // namespace outerloop::data
