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

double tile_cycles(int rows, int vectors, int64_t steps) {
  const double fmas = rows * vectors / kPerCycle;
  const double loads = (rows + vectors) / kPerCycle;
  const double step = std::max({fmas, loads, kLatency});
  return static_cast<double>(steps) * step + kTileCycles + kStoreCycles * rows * vectors;
}

double group_cycles(std::span<const RowGroup> groups, int largest_rows, int vectors) {
  double cycles = 0;
  for (const RowGroup& group : groups) {
    for (const RowCut& cut : cut_rows(group.rows, largest_rows)) {
      cycles += static_cast<double>(cut.tiles) * tile_cycles(cut.rows, vectors, group.steps);
    }
  }
  return cycles;
}

struct Choice {
  int largest_rows = 0;
  double cycles = std::numeric_limits<double>::infinity();
};

// The best height of tiles that are `vectors` wide.
Choice best_rows(std::span<const RowGroup> groups, int vectors, const TileLimits& limits) {
  Choice best;
  for (int rows = 1; rows <= limits.rows && tile_fits(rows, vectors, limits.registers); ++rows) {
    const double cycles = group_cycles(groups, rows, vectors);
    if (cycles < best.cycles) best = {rows, cycles};
  }
  return best;
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
  std::vector<Choice> choices{{}};  // by the vectors of a panel
  for (int v = 1; v <= all_vectors && tile_fits(1, v, limits.registers); ++v) {
    choices.push_back(best_rows(groups, v, limits));
  }
  std::vector<RowCut> best;
  double best_cycles = std::numeric_limits<double>::infinity();
  for (int widest = 1; widest < static_cast<int>(choices.size()); ++widest) {
    const std::vector<RowCut> widths = cut_rows(all_vectors, widest);
    double cycles = 0;
    for (const RowCut& width : widths) {
      cycles += static_cast<double>(width.tiles) * choices[static_cast<size_t>(width.rows)].cycles;
    }
    if (cycles >= best_cycles) continue;
    best = widths;
    best_cycles = cycles;
  }
  std::vector<ColumnPanel> panels;
  const auto append = [&](int vectors, int64_t count) {
    const int64_t first =
        panels.empty() ? 0
                       : panels.back().first_column + panels.back().columns * panels.back().repeats;
    const int64_t width = std::min(vectors * int64_t{limits.lanes}, columns - first);
    if (count == 0) return;
    panels.push_back({.first_column = first,
                      .columns = width,
                      .repeats = count,
                      .vectors = vectors,
                      .largest_rows = choices[static_cast<size_t>(vectors)].largest_rows});
  };
  for (const RowCut& width : best) {
    const bool ragged = &width == &best.back() && columns % limits.lanes != 0;
    append(width.rows, width.tiles - (ragged ? 1 : 0));
    if (ragged) append(width.rows, 1);
  }
  return panels;
}

}  // namespace outerloop::exec
