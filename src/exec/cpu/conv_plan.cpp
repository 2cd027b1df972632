#include "exec/cpu/conv_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

int32_t narrow(int64_t offset) {
  OL_ASSERT(offset == static_cast<int32_t>(offset), "conv: a tensor has more than 2^31 elements");
  return static_cast<int32_t>(offset);
}

// One axis of a convolution, seen from one position of the result.
struct Reach {
  int64_t base = 0;           // where the operand's axis is at tap offset 0
  std::vector<int64_t> taps;  // that fall inside, rising
};

struct Axis {
  int64_t kernel = 0, stride = 1, pad = 0;
  int64_t in = 0, out = 0;

  // Tap p of output position i reads input position base + p.
  Reach forward(int64_t position) const {
    Reach reach{.base = position * stride - pad};
    for (int64_t p = 0; p < kernel; ++p) {
      if (reach.base + p >= 0 && reach.base + p < in) reach.taps.push_back(p);
    }
    return reach;
  }
  // Input position h takes output position base - p / stride through tap p of its parity.
  Reach input(int64_t position) const {
    Reach reach{.base = (position + pad) / stride};
    for (int64_t p = (position + pad) % stride; p < kernel; p += stride) {
      const int64_t at = reach.base - p / stride;
      if (at >= 0 && at < out) reach.taps.push_back(p);
    }
    return reach;
  }
  // The output positions whose tap p is inside: first and one past the last.
  std::pair<int64_t, int64_t> positions(int64_t p) const {
    int64_t first = out, end = 0;
    for (int64_t i = 0; i < out; ++i) {
      const int64_t at = i * stride - pad + p;
      if (at < 0 || at >= in) continue;
      first = std::min(first, i);
      end = i + 1;
    }
    return {std::min(first, end), end};
  }
};

Axis rows_of(const ConvGeometry& g) {
  return {g.kernel_height, g.stride, g.pad_top, g.height, g.out_height};
}
Axis columns_of(const ConvGeometry& g) {
  return {g.kernel_width, g.stride, g.pad_left, g.width, g.out_width};
}

// How the pixels of a result reach the pixels of their operand.
struct PixelWalk {
  std::vector<Reach> rows, columns;  // by position in the result
  int64_t operand_height = 0, operand_width = 0;
  int64_t channels = 0;  // of the operand
  int64_t images = 0;
};

using Pair = std::pair<int64_t, int64_t>;

// Pixels with the same taps, over all images; the segments are still to come.
struct PixelGroup {
  std::vector<Pair> taps;
  ConvGroup group;
};

std::vector<PixelGroup> group_pixels(const PixelWalk& walk) {
  using Taps = std::pair<std::vector<int64_t>, std::vector<int64_t>>;
  std::map<Taps, std::vector<Pair>> places;
  for (size_t i = 0; i < walk.rows.size(); ++i) {
    for (size_t j = 0; j < walk.columns.size(); ++j) {
      places[{walk.rows[i].taps, walk.columns[j].taps}].emplace_back(i, j);
    }
  }
  std::vector<PixelGroup> groups;
  for (const auto& [taps, pixels] : places) {
    PixelGroup& made = groups.emplace_back();
    ConvGroup& group = made.group;
    const auto width = static_cast<int64_t>(walk.columns.size());
    const int64_t pixels_per_image = static_cast<int64_t>(walk.rows.size()) * width;
    for (int64_t n = 0; n < walk.images; ++n) {
      for (const auto& [i, j] : pixels) {
        const int64_t row = n * walk.operand_height + walk.rows[static_cast<size_t>(i)].base;
        const int64_t column = walk.columns[static_cast<size_t>(j)].base;
        group.rows.push_back({narrow((row * walk.operand_width + column) * walk.channels),
                              narrow(n * pixels_per_image + i * width + j)});
      }
    }
    for (const int64_t p : taps.first) {
      for (const int64_t q : taps.second) made.taps.emplace_back(p, q);
    }
  }
  return groups;
}

// Pixels are rows, a step is one channel of one tap. Neighbouring taps of one kernel row are
// neighbours in both operands of the forward direction, so they share a segment.
ConvPlan plan_pixels(const ConvGeometry& g, bool forward) {
  PixelWalk walk{.operand_height = forward ? g.height : g.out_height,
                 .operand_width = forward ? g.width : g.out_width,
                 .channels = forward ? g.in_channels : g.out_channels,
                 .images = g.images};
  const Axis vertical = rows_of(g), horizontal = columns_of(g);
  for (int64_t i = 0; i < (forward ? g.out_height : g.height); ++i) {
    walk.rows.push_back(forward ? vertical.forward(i) : vertical.input(i));
  }
  for (int64_t j = 0; j < (forward ? g.out_width : g.width); ++j) {
    walk.columns.push_back(forward ? horizontal.forward(j) : horizontal.input(j));
  }
  ConvPlan plan{.columns = forward ? g.out_channels : g.in_channels, .a_step = 1};
  plan.b_step = plan.columns;
  int64_t common = 0;  // divisor of the segment lengths
  for (auto& [taps, group] : group_pixels(walk)) {
    Pair before{-1, -1};
    for (const auto& [p, q] : taps) {
      const bool continues = forward && before == std::pair(p, q - 1);
      before = {p, q};
      if (continues) {
        group.segments.back().rounds += narrow(walk.channels);
        continue;
      }
      const int64_t at = forward ? p * walk.operand_width + q
                                 : -(p / g.stride) * walk.operand_width - q / g.stride;
      group.segments.push_back({narrow(at * walk.channels),
                                narrow((p * g.kernel_width + q) * g.in_channels * g.out_channels),
                                narrow(walk.channels)});
    }
    for (const ConvSegment& segment : group.segments) {
      common = std::gcd(common, int64_t{segment.rounds});
    }
    plan.groups.push_back(std::move(group));
  }
  for (int64_t round = 2; round <= 4; ++round) {
    if (common > 0 && common % round == 0) plan.round = round;
  }
  for (ConvGroup& group : plan.groups) {
    for (ConvSegment& segment : group.segments) segment.rounds /= static_cast<int32_t>(plan.round);
  }
  return plan;
}

// The images whose positions are listed in one table, a divisor of all images.
int64_t images_per_table(const ConvGeometry& g) {
  constexpr int64_t kEntries = 1024;
  int64_t best = 1;
  for (int64_t images = 1; images <= g.images; ++images) {
    if (g.images % images == 0 && images * g.out_height * g.out_width <= kEntries) best = images;
  }
  return best;
}

// Rows are (tap, channel), a step is one output pixel. Taps with the same pixels share a group.
ConvPlan plan_filter(const ConvGeometry& g) {
  std::map<std::pair<Pair, Pair>, std::vector<Pair>> places;  // taps by their ranges of positions
  for (int64_t p = 0; p < g.kernel_height; ++p) {
    for (int64_t q = 0; q < g.kernel_width; ++q) {
      places[{rows_of(g).positions(p), columns_of(g).positions(q)}].emplace_back(p, q);
    }
  }
  const int64_t images = images_per_table(g);
  ConvPlan plan{.columns = g.out_channels,
                .repeats = g.images / images,
                .a_repeat = images * g.height * g.width * g.in_channels,
                .b_repeat = images * g.out_height * g.out_width * g.out_channels};
  for (const auto& [ranges, taps] : places) {
    ConvGroup group;
    for (const auto& [p, q] : taps) {
      const int64_t offset = ((p - g.pad_top) * g.width + q - g.pad_left) * g.in_channels;
      for (int64_t c = 0; c < g.in_channels; ++c) {
        group.rows.push_back(
            {narrow(offset + c), narrow((p * g.kernel_width + q) * g.in_channels + c)});
      }
    }
    for (int64_t n = 0; n < images; ++n) {
      for (int64_t i = ranges.first.first; i < ranges.first.second; ++i) {
        for (int64_t j = ranges.second.first; j < ranges.second.second; ++j) {
          const int64_t in = ((n * g.height + i * g.stride) * g.width + j * g.stride);
          const int64_t out = (n * g.out_height + i) * g.out_width + j;
          group.segments.push_back({narrow(in * g.in_channels), narrow(out * g.out_channels), 1});
        }
      }
    }
    plan.groups.push_back(std::move(group));
  }
  return plan;
}

}  // namespace

int64_t ConvPlan::steps(const ConvGroup& group) const {
  int64_t rounds = 0;
  for (const ConvSegment& segment : group.segments) rounds += segment.rounds;
  return rounds * round * repeats;
}

ConvPlan plan_conv(const ConvGeometry& geometry, ConvDirection direction) {
  if (direction == ConvDirection::filter) return plan_filter(geometry);
  return plan_pixels(geometry, direction == ConvDirection::forward);
}

}  // namespace outerloop::exec
