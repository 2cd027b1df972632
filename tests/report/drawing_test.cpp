// Ticks, histograms and plots.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <regex>

#include "report/bar_chart.h"
#include "report/heat_map.h"
#include "report/histogram.h"
#include "report/html.h"
#include "report/plot.h"
#include "report/plot_frame.h"
#include "report/region_map.h"

namespace outerloop::report {
namespace {

using Texts = std::vector<std::string>;

TEST(Ticks, AreRoundNumbersWithin) {
  EXPECT_EQ(tick_labels(linear_ticks(0.13, 0.94, 6), Unit::number),
            (Texts{"0.2", "0.4", "0.6", "0.8"}));
  EXPECT_EQ(tick_labels(linear_ticks(0, 60000, 6), Unit::number),
            (Texts{"0", "20,000", "40,000", "60,000"}));
  EXPECT_EQ(tick_labels(linear_ticks(0.955, 0.99, 6), Unit::percent),
            (Texts{"96 %", "97 %", "98 %", "99 %"}));
  EXPECT_EQ(tick_labels(linear_ticks(-5.2, 5.2, 6), Unit::number), (Texts{"-5", "0", "5"}));
  EXPECT_EQ(tick_labels(linear_ticks(0, 3, 6, true), Unit::number), (Texts{"0", "1", "2", "3"}));
  EXPECT_EQ(tick_labels(log_ticks(0.04, 3), Unit::number, false),
            (Texts{"0.05", "0.1", "0.2", "0.5", "1", "2"}));
  EXPECT_EQ(tick_labels(log_ticks(1e18, 1e20), Unit::number, false),
            (Texts{"1e+18", "2e+18", "5e+18", "1e+19", "2e+19", "5e+19", "1e+20"}));
  EXPECT_EQ(tick_labels(log_ticks(0.001, 10), Unit::number, false),
            (Texts{"0.001", "0.01", "0.1", "1", "10"}));
}

TEST(Ticks, AreToldApartHoweverSmall) {
  EXPECT_EQ(tick_labels(linear_ticks(0, 1e-12, 6), Unit::number),
            (Texts{"0", "2e-13", "4e-13", "6e-13", "8e-13", "1e-12"}));
  EXPECT_EQ(tick_labels(linear_ticks(0, 1e-8, 6), Unit::number).back(), "0.000000010");
}

TEST(Ticks, SurviveARangeOfOneValue) {
  EXPECT_EQ(linear_ticks(2, 2, 6), std::vector<double>{2});
}

TEST(Words, ShowNumbersAsPeopleWriteThem) {
  EXPECT_EQ(in_words(0.9637, Unit::percent), "96.4 %");
  EXPECT_EQ(in_words(0.18823, Unit::number), "0.188");
  EXPECT_EQ(in_words(3.2e30, Unit::number), "3.2e+30");
  EXPECT_EQ(in_words(20000, Unit::number), "20,000");
  EXPECT_EQ(in_words(std::nan(""), Unit::number), "not finite");
  EXPECT_EQ(with_commas(-1234567), "-1,234,567");
}

TEST(Base64, GivesTheVectorsOfRfc4648) {
  const auto encode = [](std::string_view text) { return base64(std::as_bytes(std::span(text))); };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
}

TEST(Histograms, GiveEachAccuracyABinOfItsOwn) {
  const Histogram h = make_histogram({.before = {0, 0.2, 0.2, 0.4}, .after = {1, 1, 0.8, 1}}, true);
  ASSERT_EQ(h.after.size(), 6u);  // 0, 0.2, … 1
  EXPECT_DOUBLE_EQ(h.before[1], 0.5);
  EXPECT_DOUBLE_EQ(h.after[4], 0.25);
  EXPECT_DOUBLE_EQ(h.after[5], 0.75);
  EXPECT_FALSE(h.logarithmic);
}

TEST(Histograms, LeaveOutWhatDiverged) {
  const Histogram h = make_histogram({.before = {1, 2, 3, 4}, .after = {0.01, 0.1, NAN, 1}}, false);
  EXPECT_TRUE(h.logarithmic);
  EXPECT_NEAR(std::accumulate(h.before.begin(), h.before.end(), 0.0), 1, 1e-12);
  EXPECT_NEAR(std::accumulate(h.after.begin(), h.after.end(), 0.0), 0.75, 1e-12);
}

TEST(Histograms, SurviveEqualResultsAndNone) {
  EXPECT_EQ(make_histogram({.before = {2, 2}, .after = {2, 2}}, false).after.front(), 1);
  EXPECT_EQ(make_histogram({.before = {NAN}, .after = {NAN}}, false).after.front(), 0);
}

TEST(Plots, ShowsAPointThatNoLineReaches) {
  const auto dots = [](std::vector<Point> points) {
    const std::string svg = to_svg({.series = {{.points = std::move(points)}}});
    const std::regex circle("<circle");
    return std::distance(std::sregex_iterator(svg.begin(), svg.end(), circle), {});
  };
  EXPECT_EQ(dots({{1, 2}}), 1);
  EXPECT_EQ(dots({{1, 2}, {2, 3}}), 0);
  EXPECT_EQ(dots({{1, 2}, {2, 3}, {3, NAN}, {4, 1}, {5, NAN}}), 1);
}

// The texts of one class, with their places.
std::vector<std::pair<std::string, double>> texts(const std::string& svg,
                                                  const std::string& style) {
  std::vector<std::pair<std::string, double>> found;
  const std::regex pattern("<text class=\"" + style +
                           "[^\"]*\"[^>]*y=\"([-0-9.]+)\"[^>]*>([^<]*)<");
  for (std::sregex_iterator it(svg.begin(), svg.end(), pattern), end; it != end; ++it) {
    found.emplace_back((*it)[2], std::stod((*it)[1]));
  }
  return found;
}

Series line_to(const std::string& name, double y) {
  return {.name = name, .points = {{.x = 0, .y = 0}, {.x = 1, .y = y}}};
}

TEST(Plots, MoveNamesApartAndKeepThemInside) {
  Plot plot{.series = {line_to("a", 1), line_to("b", 1), line_to("c", 0.99), line_to("d", 0)}};
  const auto names = texts(to_svg(plot), "name");
  ASSERT_EQ(names.size(), 4u);
  for (size_t i = 1; i < names.size(); ++i) {
    EXPECT_GE(names[i].second - names[i - 1].second, kLine - 0.2) << names[i].first;
  }
  EXPECT_LE(names.back().second, kHeight - 30);
}

TEST(Plots, LeaveAGapWhereAValueIsNotFinite) {
  Plot plot{
      .series = {
          {.points = {{.x = 0, .y = 1}, {.x = 1, .y = NAN}, {.x = 2, .y = 3}, {.x = 3, .y = 4}}}}};
  const std::string svg = to_svg(plot);
  const std::string path = svg.substr(svg.find("class=\"line s0\""));
  const std::string data = path.substr(0, path.find("/>"));
  EXPECT_EQ(std::ranges::count(data, 'M'), 2) << data;
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Plots, ShowAMeanWithoutAnIntervalByItself) {
  const Point with{.x = 0, .y = 1, .low = 0.5, .high = 1.5};
  const Point without{.x = 1, .y = 2, .low = NAN, .high = NAN};
  const auto drawn = [](std::vector<Point> points) {
    const std::string svg = to_svg(
        {.series = {{.points = std::move(points), .dots = true, .band = true, .whiskers = true}}});
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
    const auto count = [&svg](const char* pattern) {
      const std::regex regex(pattern);
      return std::distance(std::sregex_iterator(svg.begin(), svg.end(), regex), {});
    };
    return std::vector{count("<circle"), count("class=\"whisker"), count("class=\"band")};
  };
  EXPECT_EQ(drawn({with, without}), (std::vector<std::ptrdiff_t>{2, 1, 1}));
  EXPECT_EQ(drawn({without, without}), (std::vector<std::ptrdiff_t>{2, 0, 0}));
}

TEST(Plots, StayWithinTheirFrame) {
  for (const bool logarithmic : {false, true}) {
    Plot plot{.y = {.logarithmic = logarithmic},
              .series = {{.points = {{.x = 1, .y = 0.01, .low = -0.1, .high = 0.12},
                                     {.x = 2, .y = 5, .low = 4, .high = 6}},
                          .band = true,
                          .whiskers = true}}};
    const Frame frame(plot);
    for (const double y : {frame.y(-0.1), frame.y(0.01), frame.y(6)}) {
      EXPECT_GE(y, frame.top());
      EXPECT_LE(y, frame.bottom());
    }
    EXPECT_FALSE(frame.y_ticks().empty());
  }
}

TEST(Plots, AreDrawnWithoutAnyPoint) {
  EXPECT_NE(to_svg(Plot{.series = {Series{}}}).find("</svg>"), std::string::npos);
}

TEST(BarChart, DrawsBarsFromZeroToBothSides) {
  const std::string svg =
      bar_chart("about", "fall",
                {{"great & good", 2, 1, 3}, {"bad", -1, -1, -1}, {"unknown", NAN, NAN, NAN}});
  EXPECT_NE(svg.find("great &amp; good: 2<"), svg.npos);
  const std::regex rect("<rect class=\"bar f0\" x=\"([0-9.]+)\" y=\"[0-9.]+\" width=\"([0-9.]+)\"");
  std::vector<double> left, right;
  for (auto at = std::sregex_iterator(svg.begin(), svg.end(), rect); at != std::sregex_iterator();
       ++at) {
    left.push_back(std::stod((*at)[1]));
    right.push_back(left.back() + std::stod((*at)[2]));
  }
  ASSERT_EQ(left.size(), 2u);  // what is not finite has no bar
  EXPECT_NEAR(left[0], right[1], 0.11);
  EXPECT_NEAR((right[0] - left[0]) / (right[1] - left[1]), 2, 0.01);
  const std::string whisker = "class=\"whisker";
  EXPECT_NE(svg.find(whisker), svg.npos);
  EXPECT_EQ(svg.find(whisker), svg.rfind(whisker));
}

TEST(BarChart, CutsLongNamesBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 30; ++i) name += "é";
  const std::string svg = bar_chart("about", "fall", {{name, 1}});
  EXPECT_NE(svg.find("éé…</text>"), svg.npos);
  EXPECT_NE(svg.find(name), svg.npos);  // whole in the tooltip
}

TEST(RegionMaps, KeepTheOutlinesOfRegions) {
  RegionMap map{.about = "two",
                .height = 2,
                .width = 3,
                .regions = {0, 0, 1, 0, -1, 1},
                .values = {0.5, -1},
                .names = {"left", "right"},
                .unit = "nats"};
  const std::string svg = region_map(map);
  for (const char* part :
       {"d=\"M0 0h2v1h-2zM0 1h1v1h-1z\" style=\"fill:var(--c0)\" fill-opacity=\"0.500\"",
        "d=\"M2 0h1v1h-1zM2 1h1v1h-1z\" style=\"fill:var(--c1)\" fill-opacity=\"1.000\"",
        "<title>left: 0.5 nats</title>", "full colour: 1 nats",
        // Above, between the rows, below; then the columns.
        "d=\"M0 0H3M1 1H2M0 2H1M2 2H3M0 0V2M1 1V2M2 0V2M3 0V2\""}) {
    EXPECT_NE(svg.find(part), svg.npos) << part << "\n" << svg;
  }
  EXPECT_EQ(svg.find("on-paper"), svg.npos);
  map.background = "data:,";
  EXPECT_NE(region_map(map).find("<g class=\"on-paper\">"), svg.npos) << "its own colours";
}

TEST(HeatMaps, HaveRoomForTheirNamesAndStaySmall) {
  const std::string svg =
      heat_map({.columns = 1, .values = {1}, .row_names = {"EV-EWR-MSN"}, .column_names = {"a"}});
  const std::regex name("<text x=\"([0-9.]+)\"[^>]*text-anchor=\"end\">EV-EWR-MSN");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(svg, found, name)) << svg;
  EXPECT_GT(std::stod(found[1]), 82) << "as wide as a browser draws it";
  EXPECT_NE(svg.find("style=\"max-width:"), svg.npos);
}

}  // namespace
}  // namespace outerloop::report
