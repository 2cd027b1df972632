#pragma once
// How a result of rows x columns is cut into register tiles: column panels, and per panel the
// number of rows of a tile. A result does not depend on it, because each element has its own chain.

#include <cstdint>
#include <span>
#include <vector>

namespace outerloop::exec {

// Rows that share one chain length and one place to start a tile.
struct RowGroup {
  int64_t rows = 0;
  int64_t steps = 0;
};

// `repeats` panels side by side, of `columns` columns each.
struct ColumnPanel {
  int64_t first_column = 0;
  int64_t columns = 0;
  int64_t repeats = 0;
  int vectors = 0;
  int largest_rows = 0;  // of a tile
};

// `tiles` tiles of `rows` rows each.
struct RowCut {
  int rows = 0;
  int64_t tiles = 0;
};

struct TileLimits {
  int lanes = 0;      // elements of a vector
  int registers = 0;  // of the machine
  int rows = 0;       // most rows of a tile
};

// Registers that a tile needs: accumulators, the shorter side of a step, one for the longer side.
constexpr int tile_registers(int rows, int vectors) {
  return rows * vectors + (rows < vectors ? rows : vectors) + 1;
}

// Whether a tile leaves the epilogue three registers beside the accumulator it works on.
constexpr bool tile_fits(int rows, int vectors, int registers) {
  return tile_registers(rows, vectors) <= registers && rows * vectors + 3 <= registers;
}

// Tiles of nearly equal height, none above `largest`: at most two entries, the taller first.
std::vector<RowCut> cut_rows(int64_t rows, int largest);

// The panels from left to right that the cost model likes best.
std::vector<ColumnPanel> plan_panels(std::span<const RowGroup> groups, int64_t columns,
                                     const TileLimits& limits);

}  // namespace outerloop::exec
