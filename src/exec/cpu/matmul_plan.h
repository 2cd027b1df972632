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
  int largest_rows = 0;     // of a tile
  bool pairs_rows = false;  // two rows share the last vector: see TileShape
};

// `tiles` tiles of `rows` rows each.
struct RowCut {
  int rows = 0;
  int64_t tiles = 0;
};

struct TileLimits {
  int lanes = 0;            // elements of a vector
  int registers = 0;        // of the machine
  int rows = 0;             // most rows of a tile
  bool pairs_rows = false;  // whether half a vector at the end of the columns may serve two rows
};

struct TileSize {
  int rows = 0;
  int vectors = 0;
  bool pairs_rows = false;

  constexpr int accumulators() const {
    return pairs_rows ? rows * (vectors - 1) + (rows + 1) / 2 : rows * vectors;
  }
  // Accumulators, the shorter side of a step, one for the longer side; or two rows and their pair.
  constexpr int registers() const {
    return accumulators() + (pairs_rows ? vectors + 3 : (rows < vectors ? rows : vectors) + 1);
  }
  // Whether the epilogue has three registers beside the accumulator it works on, and one for the
  // second row of a pair.
  constexpr bool fits(int machine) const {
    return registers() <= machine && accumulators() + (pairs_rows ? 4 : 3) <= machine;
  }
};

// Tiles of nearly equal height, none above `largest`: at most two entries, the taller first.
std::vector<RowCut> cut_rows(int64_t rows, int largest);

// The panels from left to right that the cost model likes best.
std::vector<ColumnPanel> plan_panels(std::span<const RowGroup> groups, int64_t columns,
                                     const TileLimits& limits);

}  // namespace outerloop::exec
