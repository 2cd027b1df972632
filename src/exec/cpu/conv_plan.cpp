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
  ConvPlan plan{.columns = forward ? g.out_channels : g.in_channels, .geometry = g};
  plan.b_step = plan.columns;
  plan.unit = walk.channels;
  int64_t common = 0;  // divisor of the segment lengths
  for (auto& [taps, group] : group_pixels(walk)) {
    if (walk.channels == 0) taps.clear();  // chains of nothing
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
      group.steps += segment.rounds;
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

// The most images, dividing all of them, whose `each` units do not exceed `limit`; at least one.
int64_t images_within(int64_t images, int64_t each, int64_t limit) {
  int64_t best = 1;
  for (int64_t count = 1; count <= images; ++count) {
    if (images % count == 0 && count * each <= limit) best = count;
  }
  return best;
}

// Chunks of images that fit into the cache with room for accumulators, tables beside them. (On
// AVX2, 5 images 14->7 of 64 channels: 140 GF/s at 192 KiB, 117 at 512.)
void cut_images(ConvPlan& plan, DType dtype) {
  constexpr int64_t kCacheBytes = 192 << 10, kEntries = 1024, kPanelColumns = 64;
  const ConvGeometry& g = plan.geometry;
  const int64_t x = g.height * g.width * g.in_channels;
  const int64_t positions = g.out_height * g.out_width;
  const int64_t bytes = (x + positions * std::min(g.out_channels, kPanelColumns)) *
                        static_cast<int64_t>(size_of(dtype));
  const int64_t chunk = images_within(g.images, bytes, kCacheBytes);
  const int64_t table = images_within(chunk, positions, kEntries);
  const int64_t y = positions * g.out_channels;
  plan.chunks = {g.images / chunk, chunk * x, chunk * y};
  plan.repeats = {chunk / table, table * x, table * y};
  plan.images_per_table = std::min(table, g.images);
}

// Where row (tap, channel) starts in x, relative to the first pixel that an output reads.
std::vector<ConvRow> filter_rows(const ConvGeometry& g, int64_t p, int64_t q) {
  std::vector<ConvRow> rows;
  const int64_t offset = ((p - g.pad_top) * g.width + q - g.pad_left) * g.in_channels;
  for (int64_t c = 0; c < g.in_channels; ++c) {
    rows.push_back({narrow(offset + c), narrow((p * g.kernel_width + q) * g.in_channels + c)});
  }
  return rows;
}

// Rows are (tap, channel), a step is one output pixel. Taps with the same pixels share a group.
ConvPlan plan_filter(const ConvGeometry& g, DType dtype) {
  constexpr int64_t kFewChannels = 8;
  ConvPlan plan{.columns = g.out_channels,
                .a_step = g.stride * g.in_channels,
                .b_step = g.out_channels,
                .masked = g.in_channels < kFewChannels,
                .geometry = g};
  cut_images(plan, dtype);
  std::map<std::pair<Pair, Pair>, ConvGroup> groups;  // by ranges of positions
  for (int64_t p = 0; p < g.kernel_height; ++p) {
    for (int64_t q = 0; q < g.kernel_width; ++q) {
      const std::pair ranges(rows_of(g).positions(p), columns_of(g).positions(q));
      ConvGroup& group = groups[plan.masked ? std::pair<Pair, Pair>{} : ranges];
      for (const ConvRow& row : filter_rows(g, p, q)) group.rows.push_back(row);
    }
  }
  for (auto& [ranges, group] : groups) {
    group.steps = g.images * g.out_height * g.out_width;
    if (!plan.masked) {
      for (int64_t n = 0; n < plan.images_per_table; ++n) {
        for (int64_t i = ranges.first.first; i < ranges.first.second; ++i) {
          for (int64_t j = ranges.second.first; j < ranges.second.second; ++j) {
            group.segments.push_back(filter_segment(g, n, i, j));
          }
        }
      }
    }
    plan.groups.push_back(std::move(group));
  }
  return plan;
}

}  // namespace

ConvSegment filter_segment(const ConvGeometry& g, int64_t image, int64_t i, int64_t j) {
  const int64_t in = (image * g.height + i * g.stride) * g.width + j * g.stride;
  const int64_t out = (image * g.out_height + i) * g.out_width + j;
  return {narrow(in * g.in_channels), narrow(out * g.out_channels), 1};
}

ConvPlan plan_conv(const ConvGeometry& geometry, ConvDirection direction, DType dtype) {
  if (direction == ConvDirection::filter) return plan_filter(geometry, dtype);
  return plan_pixels(geometry, direction == ConvDirection::forward);
}

}  // namespace outerloop::exec
