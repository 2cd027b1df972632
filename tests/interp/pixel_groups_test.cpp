// Superpixels, pieces of lines, and what they are in each row.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "interp/group_inputs.h"
#include "interp/superpixels.h"
#include "outerloop/base/philox.h"

namespace outerloop::interp {
namespace {

using Rows = std::vector<std::string>;

// Digits are ninths of ink, a point is paper.
std::vector<float> drawing(const Rows& rows) {
  std::vector<float> image;
  for (const std::string& row : rows) {
    for (const char c : row) image.push_back(c == '.' ? 0 : static_cast<float>(c - '0') / 9);
  }
  return image;
}

// Regions as letters from a, none as a point.
Rows letters(const std::vector<int32_t>& regions, size_t width) {
  Rows rows;
  for (size_t i = 0; i < regions.size(); ++i) {
    if (i % width == 0) rows.emplace_back();
    rows.back() += regions[i] < 0 ? '.' : static_cast<char>('a' + regions[i]);
  }
  return rows;
}

TEST(Superpixels, OfNothingButPaperAreSquares) {
  EXPECT_EQ(letters(superpixels(std::vector<float>(48, 0.5F), {6, 8, 1}, 12), 8),
            (Rows{"aabbccdd", "aabbccdd", "eeffgghh", "eeffgghh", "iijjkkll", "iijjkkll"}));
}

TEST(Superpixels, EndWhereTheColourChanges) {
  // Red above a slanting line, green below.
  constexpr int64_t kSide = 12;
  std::vector<float> image;
  const auto is_above = [](int64_t y, int64_t x) { return 3 * y < x + 9; };
  for (int64_t y = 0; y < kSide; ++y) {
    for (int64_t x = 0; x < kSide; ++x) {
      image.insert(image.end(), {is_above(y, x) ? 1.0F : 0.0F, is_above(y, x) ? 0.0F : 1.0F});
    }
  }
  const std::vector<int32_t> regions = superpixels(image, {kSide, kSide, 2}, 9);
  std::set<int32_t> above, below;
  for (int64_t y = 0; y < kSide; ++y) {
    for (int64_t x = 0; x < kSide; ++x) {
      (is_above(y, x) ? above : below).insert(regions[static_cast<size_t>(y * kSide + x)]);
    }
  }
  for (const int32_t region : above) EXPECT_FALSE(below.contains(region)) << region;
  for (float& value : image) value = 3 * value - 1;  // another scale
  EXPECT_EQ(superpixels(image, {kSide, kSide, 2}, 9), regions);
}

TEST(Superpixels, AreConnectedAndAboutAsManyAsAskedFor) {
  constexpr int64_t kSide = 28;
  std::vector<float> image(kSide * kSide);
  Philox random({.seed = 1, .purpose = Purpose::test});
  for (float& value : image) value = static_cast<float>(random.uniform());
  for (const int64_t count : {4, 25, 100}) {
    const std::vector<int32_t> regions = superpixels(image, {kSide, kSide, 1}, count);
    const int32_t most = std::ranges::max(regions);
    EXPECT_GE(2 * (most + 1), count);
    EXPECT_LE(most + 1, 3 * count);
    int32_t seen = -1;
    for (int32_t region = 0; region <= most; ++region) {
      std::vector<size_t> reached;
      std::vector<bool> is_reached(regions.size());
      const auto first = static_cast<size_t>(std::ranges::find(regions, region) - regions.begin());
      ASSERT_LT(first, regions.size()) << region;
      EXPECT_GT(static_cast<int32_t>(first), seen) << "not in reading order";
      seen = static_cast<int32_t>(first);
      reached.push_back(first);
      is_reached[first] = true;
      for (size_t i = 0; i < reached.size(); ++i) {
        const size_t p = reached[i];
        const std::array<bool, 4> inside{p % kSide > 0, p % kSide + 1 < kSide, p >= kSide,
                                         p + kSide < regions.size()};
        const std::array<size_t, 4> beside{p - 1, p + 1, p - kSide, p + kSide};
        for (size_t d = 0; d < 4; ++d) {
          if (!inside.at(d)) continue;
          const size_t other = beside.at(d);
          if (is_reached[other] || regions[other] != region) continue;
          is_reached[other] = true;
          reached.push_back(other);
        }
      }
      EXPECT_EQ(static_cast<int64_t>(reached.size()), std::ranges::count(regions, region));
    }
  }
}

TEST(LinePieces, AreCutWhereLinesMeet) {
  struct Case {
    const char* what;
    Rows ink, pieces;
    int64_t most = 8;
  };
  const std::vector<Case> cases{
      {"one line, with its grey edge",
       {"..........", ".2999992..", ".9.....9..", ".......9..", "..........", "........1."},
       {"..........", ".aaaaaaa..", ".a.....a..", ".......a..", "..........", ".........."}},
      {"a dot beside a line",
       {"9.........", "9.........", "9.........", "9......99.", "9......99.", ".........."},
       {"a.........", "a.........", "a.........", "a......bb.", "a......bb.", ".........."}},
      {"paper", {"....", "....", "...."}, {"....", "....", "...."}},
  };
  for (const Case& c : cases) {
    const ImageSize size{static_cast<int64_t>(c.ink.size()), static_cast<int64_t>(c.ink[0].size())};
    EXPECT_EQ(letters(line_pieces(drawing(c.ink), size, c.most), c.ink[0].size()), c.pieces)
        << c.what;
  }
}

// Four arms of different lengths.
const Rows kCross{"......9......", "......9......", "......9......", "......9......",
                  "......9......", "9999999999999", "......9......", "......9......",
                  "......9......", "......9......", "......9......", "......9......",
                  "......9......", "......9......"};

TEST(LinePieces, ComeByTheirSize) {
  const ImageSize size{14, 13};
  const std::vector<int32_t> pieces = line_pieces(drawing(kCross), size, 8);
  EXPECT_EQ(pieces[13 * 13 + 6], 0) << "the lower arm is the longest";
  std::set<int32_t> ends{pieces[6], pieces[13 * 5], pieces[13 * 5 + 12], pieces[13 * 13 + 6]};
  EXPECT_EQ(ends, (std::set<int32_t>{0, 1, 2, 3}));
  // Fewer: the last has the rest.
  const std::vector<int32_t> two = line_pieces(drawing(kCross), size, 2);
  for (size_t i = 0; i < pieces.size(); ++i) EXPECT_EQ(two[i], std::min(pieces[i], 1));
}

TEST(LinePieces, AreEachRowsOwnInputs) {
  const Rows first{"99999", ".....", "....."}, second{".....", "9....", "9...9"};
  std::vector<float> rows = drawing(first);
  for (const float value : drawing(second)) rows.push_back(value);
  TaskScoring scoring;
  scoring.groups = {{"piece 2", {}}, {"piece 1", {}}};
  scoring.lines = {.height = 3, .width = 5, .most = 4, .places = {1, 0}};
  GroupInputs inputs(scoring);
  inputs.look_at(rows);
  const auto of = [&](size_t group, size_t row) {
    const auto all = inputs.of(group).of(row);
    return std::vector<uint32_t>(all.begin(), all.end());
  };
  EXPECT_EQ(of(1, 0), (std::vector<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(of(0, 0), std::vector<uint32_t>{}) << "the first row has one piece";
  EXPECT_EQ(of(1, 1), (std::vector<uint32_t>{5, 10}));
  EXPECT_EQ(of(0, 1), std::vector<uint32_t>{14});
}

}  // namespace
}  // namespace outerloop::interp
