#include "exec/cpu/matmul_plan.h"

#include <algorithm>
#include <limits>

namespace outerloop::exec {
namespace {

// Two FMAs and two loads start per cycle, an FMA takes four (Zen 4 and 5, Intel since Skylake).
constexpr double kPerCycle = 2;
constexpr double kLatency = 4;
constexpr double kTileCycles = 8;     // to set a tile up
constexpr double kStoreCycles = 0.5;  // per accumulator, the rest hides behind the next tile

double tile_cycles(const TileSize& tile, int64_t steps) {
  const double fmas = tile.accumulators() / kPerCycle;
  const double loads = (tile.rows + tile.vectors) / kPerCycle;
  const double step = std::max({fmas, loads, kLatency});
  return static_cast<double>(steps) * step + kTileCycles + kStoreCycles * tile.rows * tile.vectors;
}

double group_cycles(std::span<const RowGroup> groups, const TileSize& largest) {
  double cycles = 0;
  for (const RowGroup& group : groups) {
    for (const RowCut& cut : cut_rows(group.rows, largest.rows)) {
      TileSize tile = largest;
      tile.rows = cut.rows;
      cycles += static_cast<double>(cut.tiles) * tile_cycles(tile, group.steps);
    }
  }
  return cycles;
}

struct Choice {
  TileSize largest;
  double cycles = std::numeric_limits<double>::infinity();
};

// The best height of tiles of this width.
Choice best_rows(std::span<const RowGroup> groups, TileSize tile, const TileLimits& limits) {
  Choice best;
  for (tile.rows = 1; tile.rows <= limits.rows && tile.fits(limits.registers); ++tile.rows) {
    const double cycles = group_cycles(groups, tile);
    if (cycles < best.cycles) best = {tile, cycles};
  }
  return best;
}

// By the vectors of a panel; the last of the panels may be ragged.
struct Choices {
  std::vector<Choice> whole{{}};
  std::vector<Choice> last{{}};

  const Choice& of(int vectors, bool is_last) const {
    return (is_last ? last : whole)[static_cast<size_t>(vectors)];
  }
};

Choices choose(std::span<const RowGroup> groups, int64_t columns, const TileLimits& limits) {
  const int64_t all_vectors = (columns + limits.lanes - 1) / limits.lanes;
  const bool half = limits.pairs_rows && 2 * (columns % limits.lanes) == limits.lanes;
  Choices choices;
  for (int v = 1; v <= all_vectors && TileSize{1, v}.fits(limits.registers); ++v) {
    const Choice whole = best_rows(groups, {.vectors = v}, limits);
    const Choice paired =
        half && v > 1 ? best_rows(groups, {.vectors = v, .pairs_rows = true}, limits) : Choice{};
    choices.whole.push_back(whole);
    choices.last.push_back(paired.cycles < whole.cycles ? paired : whole);
  }
  return choices;
}

}  // namespace

std::vector<RowCut> cut_rows(int64_t rows, int largest) {
  const int64_t tiles = (rows + largest - 1) / largest;
  if (tiles == 0) return {};
  const int64_t taller = rows % tiles;
  const auto height = static_cast<int>(rows / tiles);
  std::vector<RowCut> cuts;
  if (taller > 0) cuts.push_back({height + 1, taller});
  if (height > 0) cuts.push_back({height, tiles - taller});
  return cuts;
}

std::vector<ColumnPanel> plan_panels(std::span<const RowGroup> groups, int64_t columns,
                                     const TileLimits& limits) {
  if (columns == 0) return {};
  const int64_t all_vectors = (columns + limits.lanes - 1) / limits.lanes;
  const Choices choices = choose(groups, columns, limits);
  std::vector<RowCut> best;
  double best_cycles = std::numeric_limits<double>::infinity();
  for (int widest = 1; widest < static_cast<int>(choices.whole.size()); ++widest) {
    const std::vector<RowCut> widths = cut_rows(all_vectors, widest);
    const int last = widths.back().rows;
    double cycles = choices.of(last, true).cycles - choices.of(last, false).cycles;
    for (const RowCut& width : widths) {
      cycles += static_cast<double>(width.tiles) * choices.of(width.rows, false).cycles;
    }
    if (cycles >= best_cycles) continue;
    best = widths;
    best_cycles = cycles;
  }
  std::vector<ColumnPanel> panels;
  const auto append = [&](int vectors, int64_t count, bool is_last) {
    const int64_t first =
        panels.empty() ? 0
                       : panels.back().first_column + panels.back().columns * panels.back().repeats;
    const int64_t width = std::min(vectors * int64_t{limits.lanes}, columns - first);
    if (count == 0) return;
    const TileSize& largest = choices.of(vectors, is_last).largest;
    panels.push_back({.first_column = first,
                      .columns = width,
                      .repeats = count,
                      .vectors = vectors,
                      .largest_rows = largest.rows,
                      .pairs_rows = largest.pairs_rows});
  };
  for (const RowCut& width : best) {
    const bool ragged = &width == &best.back() && columns % limits.lanes != 0;
    append(width.rows, width.tiles - (ragged ? 1 : 0), false);
    if (ragged) append(width.rows, 1, true);
  }
  return panels;
}

}  // namespace outerloop::exec
