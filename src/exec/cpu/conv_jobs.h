#pragma once
// The work of one column panel of a convolution as tables for generated code: tiles that run the
// same code are listed together, in blocks whose accumulators fit into a scratch area.

#include <memory>
#include <vector>

#include "exec/cpu/conv_plan.h"
#include "exec/cpu/matmul_plan.h"

namespace outerloop::exec {

// What distinguishes the code of tiles: their rows, and which of them take part in the steps of a
// segment, as one bit per row for each variant.
struct TileCode {
  int rows = 0;
  std::vector<uint32_t> variants;
  bool operator==(const TileCode&) const = default;
};

// Tiles one after the other up to rows_end, all with the same segments.
struct ConvJob {
  const ConvSegment* segments;
  const ConvSegment* segments_end;
  const ConvRow* rows;
  const ConvRow* rows_end;
};

struct JobRange {
  const ConvJob* begin;
  const ConvJob* end;
};

// Lives as long as the kernel, which holds pointers into it.
struct PanelJobs {
  std::vector<TileCode> codes;
  std::vector<JobRange> ranges;  // [block][code]
  int64_t blocks = 0;
  int64_t block_rows = 0;  // the most rows of a block

  std::vector<std::vector<ConvJob>> jobs;
  std::vector<std::unique_ptr<std::vector<ConvSegment>>> tile_segments;  // of masked plans
};

// `rows_per_block` limits the rows of a block.
PanelJobs make_panel_jobs(const ConvPlan& plan, const ColumnPanel& panel, int64_t rows_per_block);

}  // namespace outerloop::exec
