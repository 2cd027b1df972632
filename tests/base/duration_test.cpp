#include "outerloop/base/duration.h"

#include <gtest/gtest.h>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

using std::chrono::seconds;

TEST(ParseDuration, ReadsUnitsInOrder) {
  EXPECT_EQ(parse_duration("3h50m"), seconds(3 * 3600 + 50 * 60));
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("2d"), seconds(2 * 86400));
  EXPECT_EQ(parse_duration("1d2h3m4s"), seconds(86400 + 7200 + 180 + 4));
}

TEST(ParseDuration, RefusesAnythingElse) {
  for (const char* text : {"", "h", "-5", "3x", "3m2h", "1h1h", "3 h", "5s1", "1.5h", "99999999d",
                           "9999999999999999999999", "10000d1s", "+5", "90", "0", "1h30", "0m3"}) {
    EXPECT_THROW(parse_duration(text), BadInput) << text;
  }
}

TEST(FormatDuration, ShowsTheTwoLargestUnits) {
  EXPECT_EQ(format_duration(seconds(42)), "42s");
  EXPECT_EQ(format_duration(seconds(65)), "1m05s");
  EXPECT_EQ(format_duration(seconds(13800)), "3h50m");
  EXPECT_EQ(format_duration(seconds(2 * 86400 + 3 * 3600 + 59)), "2d03h");
  EXPECT_EQ(format_duration(seconds(0)), "0s");
}

}  // namespace
}  // namespace outerloop
