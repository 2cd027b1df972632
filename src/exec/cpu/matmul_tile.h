#pragma once
// A register tile: rows x vectors accumulators that stay in registers over a whole chain, and the
// epilogue that is applied to them before they are stored. Matmul and convolution are loops around
// it.

#include <functional>
#include <optional>
#include <vector>

#include "exec/cpu/body_emitter.h"
#include "exec/cpu/jit.h"
#include "exec/cpu/matmul_plan.h"

namespace outerloop::exec {

// Where half a vector is left at the end of a row, rows 2i and 2i+1 may share it: the lower half of
// its accumulator belongs to row 2i, the upper half to row 2i+1 (AVX-512).
struct TileShape {
  TileSize size;
  Lanes last;         // of the last vector in each row; the others are whole
  int pair_mask = 0;  // where rows are paired: the k register that holds the upper half
};

class Tile {
 public:
  // Address of element A[row] or of vector B[vector] of the current step.
  using Place = std::function<Xbyak::RegExp(int)>;

  Tile(Assembler& assembler, const TileShape& shape) : assembler_(assembler), shape_(shape) {}

  const TileSize& size() const { return shape_.size; }
  // Its register; of paired rows both have the same in the last vector.
  int accumulator(int row, int vector) const;
  // Whether the row's part of this vector's accumulator is the upper half.
  bool in_upper_half(int row, int vector) const {
    return size().pairs_rows && is_last(vector) && row % 2 == 1;
  }
  bool is_last(int vector) const { return vector + 1 == size().vectors; }
  Lanes lanes(int vector) const;

  void clear();
  // One step of every chain: acc[row][vector] = fma(A[row], B[vector], acc[row][vector]).
  // Chains of rows whose bit in `active` is not set stay as they are.
  void step(const Place& a, const Place& b, uint32_t active = ~uint32_t{0});

 private:
  int spare(int index) const { return size().accumulators() + index; }
  Vector vector_register(int index, int vector) const;
  void step_over_rows(const Place& a, const Place& b, uint32_t active);
  void step_over_vectors(const Place& a, const Place& b, uint32_t active);
  void step_over_pairs(const Place& a, const Place& b);

  Assembler& assembler_;
  TileShape shape_;
};

// Where row `row` of an epilogue operand starts, at the first column of the tile. Without a
// register for its base, `address` is relative to rax, which is loaded from `base`.
struct OperandPlace {
  Xbyak::RegExp address;
  bool loads_base = false;
  Xbyak::RegExp base;
};

// The rows of a tile, as an epilogue goes through them.
struct RowWalk {
  // The place of an operand (inputs first, then outputs) in a row counted from the current one.
  std::function<OperandPlace(size_t operand, int row)> place;
  // Called before the places of a row are asked for.
  std::function<void(int row)> begin_row;
  // Makes the next row the current one, at run time.
  std::function<void()> advance;
};

class TileEpilogue {
 public:
  TileEpilogue(Assembler& assembler, const Epilogue& epilogue, int compare_mask)
      : assembler_(assembler), epilogue_(epilogue), body_(assembler, epilogue.body, compare_mask) {}

  size_t operand_count() const { return epilogue_.inputs.size() + epilogue_.outputs.size(); }
  const TileStrides& strides(size_t operand) const;
  void emit(const Tile& tile, const RowWalk& walk);

 private:
  void emit_straight(const Tile& tile, const RowWalk& walk);
  void save_accumulators(const Tile& tile);
  void emit_loop(const Tile& tile, const RowWalk& walk);
  void emit_vector(const Tile& tile, int row, int vector, const BodySource& accumulator,
                   const RowWalk& walk, const std::vector<int>& free);

  Assembler& assembler_;
  const Epilogue& epilogue_;
  BodyEmitter body_;
  struct Frame {
    Xbyak::RegExp accumulators, current, rows_left;
  };
  std::optional<Frame> frame_;  // of loops
};

}  // namespace outerloop::exec
