#pragma once
// Generates the code that walks the tables of a convolution: per column panel loops over blocks,
// chunks of the chains, tiles that share code, and tiles. A row of a tile has its own pointer into
// the first operand, so that padding and strides cost nothing.

#include <array>
#include <vector>

#include "exec/cpu/conv_jobs.h"
#include "exec/cpu/conv_plan.h"
#include "exec/cpu/matmul_tile.h"

namespace outerloop::exec {

class ConvGenerator {
 public:
  ConvGenerator(ConvPlan plan, DType dtype, const Epilogue& epilogue, Isa isa);

  Kernel generate();

 private:
  using Reg64 = Xbyak::Reg64;

  // What the code reads at run time; lives as long as the kernel.
  struct Tables {
    ConvPlan plan;
    std::vector<std::unique_ptr<PanelJobs>> panels;
  };
  const ConvPlan& plan() const { return tables_->plan; }
  bool chunked() const { return plan().chunks.count > 1; }

  // conv_generator.cpp: the loops.
  void emit_panel(const ColumnPanel& panel);
  void emit_block(const ColumnPanel& panel, const PanelJobs& jobs);
  void emit_code(const ColumnPanel& panel, const PanelJobs& jobs, size_t code);
  void emit_tile(const ColumnPanel& panel, Tile& tile, const TileCode& code, bool some_empty);
  void emit_row_pointers(int rows);
  void emit_load_partials(const Tile& tile);
  void emit_store_partials(const Tile& tile);

  // conv_chain.cpp: what happens between clearing a tile and its epilogue.
  void emit_chain(Tile& tile, const TileCode& code);
  void emit_single_steps(Tile& tile);
  void emit_segments(Tile& tile, const TileCode& code);
  void emit_rounds(Tile& tile, uint32_t active);
  void emit_repeat(const Tile& tile, Xbyak::Label& again);

  // conv_epilogue.cpp
  void emit_epilogue(const Tile& tile, const ColumnPanel& panel);
  std::vector<OperandPlace> place_operands(bool moving_columns);
  void emit_row_start(int row, const std::vector<OperandPlace>& places, bool moving_columns);

  Xbyak::Address slot(const Xbyak::RegExp& place) { return assembler_.qword[place]; }
  void add_bytes(const Xbyak::Operand& target, int64_t count);
  // A slot walks a table of which each entry has `bytes`; the loop ends at `end`.
  void advance(const Xbyak::RegExp& place, size_t bytes);

  static constexpr int kTailMask = 1;
  static constexpr int kCompareMask = 2;
  static constexpr int64_t kScratchBytes = 192 << 10;

  Epilogue epilogue_spec_;
  Assembler assembler_;
  TileEpilogue epilogue_;
  int64_t bytes_;
  std::shared_ptr<Tables> tables_;
  bool single_ = true;  // every segment is one round and nothing is masked

  // In the chain: a pointer per row, the segment, an offset into A, and a pointer or offset into B.
  const std::array<Reg64, 10> row_pointers_;
  const Reg64 segment_, a_offset_, b_step_;
  const Reg64 rounds_left_;  // or the base of B where segments are single steps
  // In the epilogue: a pointer per operand, the row of the result and its byte offsets.
  const std::array<Reg64, 8> pointers_;
  const Reg64 table_row_, row_, spilled_;
  const std::array<Reg64, 2> row_offsets_;

  // The frame: what the loops count and where they are.
  const Xbyak::RegExp operands_, column_, b_panel_, b_base_, a_chunk_, chunk_, range_, range_end_,
      job_, job_end_, first_segment_, end_segment_, tile_row_, end_row_, repeats_left_, scratch_;
  Xbyak::RegExp scratch_area_;
  std::vector<int64_t> offset_strides_;  // of row_offsets_
  std::vector<Xbyak::RegExp> pointer_slots_;
};

}  // namespace outerloop::exec
