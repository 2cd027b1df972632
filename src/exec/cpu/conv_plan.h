#pragma once
// A convolution as matrix products over tables: rows of the result that share the steps of their
// chains form a group, and taps that fall on padding are in no table.
//
// Step s of segment g of row r multiplies A[r.offset + g.a + s * a_step] with
// B[g.b + s * b_step, columns]; offsets are in elements.

#include <cstdint>
#include <vector>

#include "exec/cpu/kernel.h"

namespace outerloop::exec {

struct ConvSegment {
  int32_t a = 0;
  int32_t b = 0;
  int32_t rounds = 0;   // of ConvPlan::round steps
  int32_t variant = 0;  // which rows of a tile take part (conv_jobs.h)
};

struct ConvRow {
  int32_t a = 0;
  int32_t row = 0;  // of the result
};

struct ConvGroup {
  std::vector<ConvSegment> segments;
  std::vector<ConvRow> rows;
  int64_t steps = 0;  // of one chain, for the choice of tiles
};

// The same segments again and again, each time this many elements further on.
struct ConvRepeat {
  int64_t count = 1;
  int64_t a = 0;
  int64_t b = 0;
};

struct ConvPlan {
  std::vector<ConvGroup> groups;
  int64_t columns = 0;
  int64_t a_step = 1;
  int64_t b_step = 0;
  int64_t round = 1;  // divides the length of every segment
  int64_t unit = 0;   // so does this: the channels of one tap (not of filter gradients)
  // A chain runs through its segments `repeats.count` times, and through that `chunks.count` times.
  // Between chunks all other tiles get their turn, so that the operands of a chunk stay in cache.
  ConvRepeat repeats;
  ConvRepeat chunks;
  // Filter gradient of few channels: rows of one tile belong to different taps, so segments depend
  // on the tile (conv_jobs.h) and the one group has none.
  bool masked = false;
  ConvGeometry geometry;
  int64_t images_per_table = 1;
};

// One step of a filter gradient: output position (i, j) of an image.
ConvSegment filter_segment(const ConvGeometry& geometry, int64_t image, int64_t i, int64_t j);

ConvPlan plan_conv(const ConvGeometry& geometry, ConvDirection direction, DType dtype);

}  // namespace outerloop::exec
