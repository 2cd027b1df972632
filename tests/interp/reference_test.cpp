// The layouts importance, explain and metrics of check_reference on the reduced golden files.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "io/temporary_folder.h"
#include "outerloop/base/error.h"
#include "reference/layout.h"

namespace outerloop::reference {
namespace {

const std::string kFolder = std::string(OUTERLOOP_SOURCE_DIR) + "/tests/reference/";

void expect_passes(const Report& report, size_t quantities) {
  EXPECT_EQ(report.quantities().size(), quantities);
  for (const Quantity& quantity : report.quantities()) {
    EXPECT_LE(quantity.error, quantity.tolerance) << quantity.name;
  }
  EXPECT_EQ(report.unchecked(), std::vector<std::string>());
}

Report check_hdf5(const std::string& name, DType dtype) {
  const StoredFile file(kFolder + name);
  ProgramRunner runner(compiled());
  Report report;
  Context context{file, dtype, runner, report};
  layout_of(file).check(context);
  report.set_unread(file.unread());
  return report;
}

Report check_json(const std::string& path) {
  const JsonDocument document(path);
  Report report;
  layout_of(document).check(document, report);
  report.set_unread(document.unread());
  return report;
}

std::string text_of(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(kFolder + name).rdbuf();
  return text.str();
}

// Checks a JSON text.
Report check_text(const std::string& text) {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "file.json").string();
  std::ofstream(path) << text;
  return check_json(path);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t place = text.find(from);
  EXPECT_NE(place, text.npos) << from;
  return text.replace(place, from.size(), to);
}

TEST(Importance, OfHdf5IsEqualToTheBit) {
  expect_passes(check_hdf5("importance.h5", DType::f64), 49);
}

TEST(Importance, OfJsonIsEqualToTheBit) {
  expect_passes(check_json(kFolder + "importance.json"), 67);
}

TEST(Importance, DiffersByAnUlp) {
  const std::string text = text_of("importance.json");
  const auto report = check_text(replaced(text, "0.022881919359953762", "0.022881919359953765"));
  EXPECT_FALSE(report.passes());
}

TEST(Importance, FollowsTheSeed) {
  const std::string text = text_of("importance.json");
  EXPECT_FALSE(check_text(replaced(text, "\"random_state\":42", "\"random_state\":43")).passes());
}

TEST(Importance, RefusesWhatItDoesNotKnow) {
  const std::string text = text_of("importance.json");
  EXPECT_THROW(check_text(replaced(text, "\"scoring\":\"r2\"", "\"scoring\":\"f1\"")), BadInput);
  EXPECT_THROW(check_text(replaced(text, "\"kind\":\"linear\"", "\"kind\":\"forest\"")), BadInput);
  EXPECT_THROW(check_text(replaced(text, "\"n_repeats\":10", "\"n_repeats\":-1")), BadInput);
  EXPECT_THROW(check_text(replaced(text, "\"dataset\":\"iris\"", "\"dataset\":\"wine\"")),
               BadInput);
  EXPECT_THROW(check_text(text.substr(0, text.size() / 2)), BadInput);
}

TEST(Explain, IsRecomputedInBothPrecisions) {
  expect_passes(check_hdf5("explain.h5", DType::f64), 20);
  expect_passes(check_hdf5("explain.h5", DType::f32), 20);
}

TEST(OtherSizes, AreRecomputedToo) {
  expect_passes(check_hdf5("other_sizes/importance.h5", DType::f64), 46);
  expect_passes(check_hdf5("other_sizes/explain.h5", DType::f64), 26);
  expect_passes(check_hdf5("other_sizes/explain.h5", DType::f32), 26);
  expect_passes(check_json(kFolder + "other_sizes/metrics.json"), 63);
}

TEST(Metrics, AreRecomputed) {
  expect_passes(check_json(kFolder + "metrics.json"), 91);
}

TEST(Metrics, NoticeAnotherValueAndAnotherCount) {
  const std::string text = text_of("metrics.json");
  const std::string count = "\"count_greater\": 32";
  const std::string area = "\"aurc\": 0.24297052154195";
  ASSERT_NE(text.find(count), text.npos);
  EXPECT_FALSE(check_text(replaced(text, count, "\"count_greater\": 33")).passes());
  EXPECT_FALSE(check_text(replaced(text, area, "\"aurc\": 0.24297052154395")).passes());
}

TEST(Unread, AreNumbersThatNoRuleIsFor) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ(check_hdf5("other_sizes/explain.h5", DType::f64).unread(), Paths());
  EXPECT_EQ(check_hdf5("other_sizes/importance.h5", DType::f64).unread(), Paths());
  const std::string more =
      R"("more": {"numbers": [1, 2], "text": "3", "parts": [{"a": 1}, {"name": "b", "c": [[4]]}]},)";
  EXPECT_EQ(
      check_text("{" + more + replaced(text_of("other_sizes/metrics.json"), "{", "")).unread(),
      Paths({"more/numbers", "more/parts/0/a", "more/parts/b/c", "cases/tail/input/alphas"}));
}

TEST(Metrics, RefuseWhatTheyDoNotKnow) {
  const auto check_case = [](const std::string& input, const std::string& expected) {
    return check_text("{\"cases\": [{\"name\": \"a\", \"input\": " + input +
                      ", \"expected\": " + expected + "}]}");
  };
  EXPECT_TRUE(check_case("{\"values\": [1, 2]}", "{\"mean\": 1.5}").passes());
  EXPECT_THROW(check_case("{\"values\": [1, 2]}", "{\"median\": 1.5}"), BadInput);
  EXPECT_THROW(check_case("{\"numbers\": [1, 2]}", "{\"mean\": 1.5}"), BadInput);
  EXPECT_THROW(check_case("{\"values\": [1, [2]]}", "{\"mean\": 1.5}"), BadInput);
  EXPECT_THROW(check_case("{\"values\": \"1\"}", "{\"mean\": 1.5}"), BadInput);
  EXPECT_THROW(check_text("{\"cases\": []}"), BadInput);
  EXPECT_THROW(check_text("[]"), BadInput);
}

}  // namespace
}  // namespace outerloop::reference
