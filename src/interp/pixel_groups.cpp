#include "interp/pixel_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "interp/line_pieces.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

constexpr int64_t kMostPieces = 16;

void require(const char* flag, int64_t value, int64_t least, int64_t most, const ImageSize& size) {
  if (value >= least && value <= most) return;
  throw BadInput(fmt::format("{}: expected {} to {} for images of {} x {} pixels, got {}", flag,
                             least, most, size.height, size.width, value));
}

// Row by row; those at the right and lower edge may be smaller.
std::vector<int32_t> squares(const ImageSize& size, int64_t side) {
  const int64_t across = (size.width + side - 1) / side;
  std::vector<int32_t> regions;
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      regions.push_back(static_cast<int32_t>(y / side * across + x / side));
    }
  }
  return regions;
}

// Pixels with all their channels.
std::vector<FeatureGroup> groups_of(const std::vector<int32_t>& regions, const ImageSize& size) {
  std::vector<FeatureGroup> groups(static_cast<size_t>(std::ranges::max(regions)) + 1);
  for (size_t pixel = 0; pixel < regions.size(); ++pixel) {
    for (int64_t c = 0; c < size.channels; ++c) {
      groups[static_cast<size_t>(regions[pixel])].columns.push_back(
          static_cast<uint32_t>(static_cast<int64_t>(pixel) * size.channels + c));
    }
  }
  return groups;
}

// "row,column" of a square
std::vector<FeatureGroup> named_squares(RunProblem& problem, const ImageSize& size) {
  const int64_t side = problem.spec.patch.value_or(kUsualPatch);
  require("--patch", side, 1, std::min(size.height, size.width), size);
  problem.regions = squares(size, side);
  std::vector<FeatureGroup> groups = groups_of(problem.regions, size);
  const int64_t across = (size.width + side - 1) / side;
  for (size_t g = 0; g < groups.size(); ++g) {
    const auto place = static_cast<int64_t>(g);
    groups[g].name = fmt::format("{},{}", place / across, place % across);
  }
  return groups;
}

// "number at row,column" of the middle
std::vector<FeatureGroup> named_superpixels(RunProblem& problem, const ImageSize& size) {
  const int64_t count = *problem.spec.superpixels;
  require("--superpixels", count, 2, size.pixels() / 4, size);
  problem.regions = superpixels(problem.training_means("--superpixels"), size, count);
  std::vector<FeatureGroup> groups = groups_of(problem.regions, size);
  for (size_t g = 0; g < groups.size(); ++g) {
    int64_t rows = 0, columns = 0, pixels = 0;
    for (int64_t pixel = 0; pixel < size.pixels(); ++pixel) {
      if (problem.regions[static_cast<size_t>(pixel)] != static_cast<int32_t>(g)) continue;
      rows += pixel / size.width;
      columns += pixel % size.width;
      ++pixels;
    }
    groups[g].name = fmt::format("{} at {},{}", g + 1, rows / pixels, columns / pixels);
  }
  return groups;
}

std::vector<FeatureGroup> named_pieces(RunProblem& problem, const ImageSize& size) {
  const int64_t most = *problem.spec.strokes;
  require("--strokes", most, 1, kMostPieces, size);
  if (size.channels != 1) {
    throw BadInput(
        fmt::format("--strokes: expected drawings, with one channel; these images have "
                    "{}; use --superpixels",
                    size.channels));
  }
  LineGroups& lines = problem.scoring.lines.emplace();
  lines = {.height = size.height, .width = size.width, .most = most};
  std::vector<FeatureGroup> groups;
  for (int64_t place = 0; place < most; ++place) {
    lines.places.push_back(static_cast<int32_t>(place));
    const char* rest = place + 1 == most ? " and smaller" : "";
    groups.push_back({fmt::format("piece {}{}", place + 1, rest), {}});
  }
  return groups;
}

}  // namespace

std::vector<FeatureGroup> pixel_groups(RunProblem& problem) {
  const RunImportanceSpec& spec = problem.spec;
  const Shape& shape = problem.setup.test_shape.example;
  const ImageSize size{shape[0], shape[1], shape[2]};
  const int kinds = int{spec.patch.has_value()} + int{spec.superpixels.has_value()} +
                    int{spec.strokes.has_value()};
  if (kinds > 1) throw BadInput("--patch, --superpixels, --strokes: give one of them");
  if (spec.superpixels) return named_superpixels(problem, size);
  if (spec.strokes) return named_pieces(problem, size);
  return named_squares(problem, size);
}

}  // namespace outerloop::interp
