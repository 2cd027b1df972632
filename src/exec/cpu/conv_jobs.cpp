#include "exec/cpu/conv_jobs.h"

#include <algorithm>
#include <span>

namespace outerloop::exec {
namespace {

size_t index_of(std::vector<TileCode>& codes, TileCode code) {
  const auto found = std::ranges::find(codes, code);
  const auto index = static_cast<size_t>(found - codes.begin());
  if (found == codes.end()) codes.push_back(std::move(code));
  return index;
}

// The rows of a filter tile whose tap falls inside the image at output position (i, j).
uint32_t active_rows(const ConvGeometry& g, std::span<const ConvRow> rows, int64_t i, int64_t j) {
  uint32_t active = 0;
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t tap = rows[r].row / g.in_channels;
    const int64_t y = i * g.stride - g.pad_top + tap / g.kernel_width;
    const int64_t x = j * g.stride - g.pad_left + tap % g.kernel_width;
    if (y >= 0 && y < g.height && x >= 0 && x < g.width) active |= uint32_t{1} << r;
  }
  return active;
}

// Runs of output positions with the same active rows, in the order of the chain.
std::vector<ConvSegment> masked_segments(const ConvPlan& plan, std::span<const ConvRow> rows,
                                         std::vector<uint32_t>& variants) {
  const ConvGeometry& g = plan.geometry;
  std::vector<ConvSegment> segments;
  for (int64_t n = 0; n < plan.images_per_table; ++n) {
    for (int64_t i = 0; i < g.out_height; ++i) {
      uint32_t before = 0;
      for (int64_t j = 0; j < g.out_width; ++j) {
        const uint32_t active = active_rows(g, rows, i, j);
        if (active != 0 && active == before) {
          ++segments.back().rounds;
        } else if (active != 0) {
          const auto found = std::ranges::find(variants, active);
          segments.push_back(filter_segment(g, n, i, j));
          segments.back().variant = static_cast<int32_t>(found - variants.begin());
          if (found == variants.end()) variants.push_back(active);
        }
        before = active;
      }
    }
  }
  return segments;
}

class JobBuilder {
 public:
  JobBuilder(const ConvPlan& plan, const ColumnPanel& panel, int64_t rows_per_block)
      : plan_(plan), panel_(panel), rows_per_block_(rows_per_block) {}

  PanelJobs build() {
    for (const ConvGroup& group : plan_.groups) {
      std::span<const ConvRow> rows(group.rows);
      for (const RowCut& cut : cut_rows(static_cast<int64_t>(rows.size()), panel_.largest_rows)) {
        const auto count = static_cast<size_t>(cut.rows * cut.tiles);
        plan_.masked ? add_masked(rows.first(count), cut.rows)
                     : add_tiles(group, rows.first(count), cut.rows);
        rows = rows.subspan(count);
      }
    }
    return finish();
  }

 private:
  // Room for one more tile at least.
  int64_t room(int tile_rows) {
    if (blocks_.empty() || used_ + tile_rows > rows_per_block_) {
      blocks_.emplace_back();
      used_ = 0;
    }
    return std::max<int64_t>(1, (rows_per_block_ - used_) / tile_rows);
  }
  void add_job(TileCode code, std::span<const ConvSegment> segments,
               std::span<const ConvRow> rows) {
    auto& jobs = blocks_.back();
    const size_t index = index_of(made_.codes, std::move(code));
    if (jobs.size() <= index) jobs.resize(index + 1);
    jobs[index].push_back({segments.data(), segments.data() + segments.size(), rows.data(),
                           rows.data() + rows.size()});
    used_ += static_cast<int64_t>(rows.size());
    made_.block_rows = std::max(made_.block_rows, used_);
  }
  void add_tiles(const ConvGroup& group, std::span<const ConvRow> rows, int tile_rows) {
    while (!rows.empty()) {
      const auto tiles = static_cast<size_t>(room(tile_rows));
      const auto count = std::min(rows.size(), tiles * static_cast<size_t>(tile_rows));
      add_job({tile_rows, {~uint32_t{0}}}, group.segments, rows.first(count));
      rows = rows.subspan(count);
    }
  }
  void add_masked(std::span<const ConvRow> rows, int tile_rows) {
    for (; !rows.empty(); rows = rows.subspan(static_cast<size_t>(tile_rows))) {
      const auto tile = rows.first(static_cast<size_t>(tile_rows));
      TileCode code{tile_rows, {}};
      made_.tile_segments.push_back(
          std::make_unique<std::vector<ConvSegment>>(masked_segments(plan_, tile, code.variants)));
      room(tile_rows);
      add_job(std::move(code), *made_.tile_segments.back(), tile);
    }
  }
  PanelJobs finish() {
    made_.blocks = static_cast<int64_t>(blocks_.size());
    for (auto& block : blocks_) {
      block.resize(made_.codes.size());
      for (std::vector<ConvJob>& jobs : block) {
        made_.jobs.push_back(std::move(jobs));
        const std::vector<ConvJob>& kept = made_.jobs.back();
        made_.ranges.push_back({kept.data(), kept.data() + kept.size()});
      }
    }
    return std::move(made_);
  }

  const ConvPlan& plan_;
  const ColumnPanel& panel_;
  int64_t rows_per_block_;
  PanelJobs made_;
  std::vector<std::vector<std::vector<ConvJob>>> blocks_;  // [block][code]
  int64_t used_ = 0;                                       // rows of the last block
};

}  // namespace

PanelJobs make_panel_jobs(const ConvPlan& plan, const ColumnPanel& panel, int64_t rows_per_block) {
  return JobBuilder(plan, panel, rows_per_block).build();
}

}  // namespace outerloop::exec
