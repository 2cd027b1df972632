#include "outerloop/interp/feature_groups.h"

#include <gtest/gtest.h>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

const std::vector<std::string> kMeasures = {"length", "width", "colour", "age"};

TEST(FeatureGroups, LeaveOtherColumnsAlone) {
  const auto groups =
      feature_groups(kMeasures, std::vector<NamedGroup>{{"size", {"width", "length"}}});
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].name, "size");
  EXPECT_EQ(groups[0].columns, (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(groups[1].name, "colour");
  EXPECT_EQ(groups[2].columns, (std::vector<uint32_t>{3}));
  EXPECT_EQ(feature_groups(kMeasures).size(), 4u);
}

TEST(FeatureGroups, RefuseWhatIsNoDivision) {
  const auto message = [](std::vector<NamedGroup> groups) -> std::string {
    try {
      feature_groups(kMeasures, groups);
    } catch (const BadInput& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message({{"size", {"lenght"}}}),
            "group 'size': no feature is called 'lenght'; did you mean 'length'?");
  EXPECT_EQ(message({{"size", {"q"}}}),
            "group 'size': no feature is called 'q'; there are length, width, colour, age");
  EXPECT_EQ(message({{"size", {}}}), "group 'size' is empty; name a feature or remove it");
  EXPECT_EQ(message({{"a", {"age"}}, {"b", {"width", "age"}}}),
            "feature 'age' is in group 'a' and in group 'b'; groups must not overlap");
  EXPECT_EQ(message({{"a", {"age", "age"}}}), "group 'a' names feature 'age' twice; name it once");
  EXPECT_EQ(message({{"age", {"width"}}}), "two groups of features are called 'age'; rename one");
}

}  // namespace
}  // namespace outerloop::interp
