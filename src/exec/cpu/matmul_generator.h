#pragma once
// Generates the code of a matmul: loops over batch, column panels and row tiles around one register
// tile, with all sizes and strides in the code.

#include <array>
#include <vector>

#include "exec/cpu/matmul_plan.h"
#include "exec/cpu/matmul_tile.h"

namespace outerloop::exec {

class MatmulGenerator {
 public:
  // `first` is the operand that serves as A, the other one is B.
  MatmulGenerator(const MatmulSpec& spec, Isa isa, int first);
  Kernel generate();

 private:
  using Reg64 = Xbyak::Reg64;
  static constexpr int kTailMask = 1, kCompareMask = 2, kPairMask = 3;

  bool moves_rows() const { return spec_.m > 1; }
  void add_bytes(const Reg64& target, int64_t count);
  void add_product(const Reg64& target, const Reg64& index, int64_t count);
  void emit_batch();
  void emit_panel(const ColumnPanel& panel);
  Lanes lanes_of(const ColumnPanel& panel, int vector) const;
  bool packs(const ColumnPanel& panel) const;
  void emit_pack(const ColumnPanel& panel);
  void emit_tiles(const ColumnPanel& panel, const RowCut& cut, int64_t end_row);
  void emit_chain(Tile& tile);
  std::vector<OperandPlace> point_at_tile(const ColumnPanel& panel);
  void emit_epilogue(const Tile& tile, const ColumnPanel& panel);

  MatmulSpec spec_;
  int a_operand_;
  Assembler assembler_;
  TileEpilogue epilogue_;
  int64_t bytes_;
  int64_t b_row_ = 0;  // bytes from one step of B to the next, of the current panel
  Xbyak::RegExp packed_;
  int64_t packed_bytes_ = 0;

  // rdi, rbx and r13 are free in the chain; rax is scratch everywhere.
  const Reg64 operands_;
  const Reg64 a_tile_;   // first row of the tile
  const Reg64 b_panel_;  // first column of the panel
  const Reg64 a_step_, b_step_, steps_left_;
  const Reg64 row_;     // of the tile
  const Reg64 column_;  // of the panel, in bytes; only where panels repeat
  const Reg64 batch_;
  const std::array<Reg64, 7> pointers_;  // of the epilogue, when the chain is over
  std::vector<Xbyak::RegExp> pointer_slots_;
};

}  // namespace outerloop::exec
