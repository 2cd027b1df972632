// Convolution kernels: the tables of a ConvPlan, walked by loops around one register tile. A row
// of the tile has its own pointer into the first operand, so padding and strides cost nothing.

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>

#include "exec/cpu/conv_plan.h"
#include "exec/cpu/kernel.h"
#include "exec/cpu/matmul_oracle.h"
#include "exec/cpu/matmul_plan.h"
#include "exec/cpu/matmul_tile.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

using namespace Xbyak::util;

constexpr int kTailMask = 1;
constexpr int kCompareMask = 2;

// Tiles of one height in one group: rows of the table up to rows_end, segments up to segments_end.
struct Job {
  const ConvSegment* segments;
  const ConvSegment* segments_end;
  const ConvRow* rows;
  const ConvRow* rows_end;
};

// What the code reads at run time; lives as long as the kernel.
struct Tables {
  ConvPlan plan;
  std::vector<std::vector<Job>> jobs;
};

class ConvGenerator {
 public:
  ConvGenerator(const ConvSpec& spec, Isa isa)
      : spec_(spec),
        assembler_(isa, spec.dtype),
        epilogue_(assembler_, spec_.epilogue, kCompareMask),
        bytes_(assembler_.element_bytes()),
        tables_(std::make_shared<Tables>()) {
    tables_->plan = plan_conv(spec.geometry, spec.direction);
    for (const ConvGroup& group : plan().groups) {
      for (const ConvSegment& segment : group.segments) single_ &= segment.rounds == 1;
      some_empty_ |= group.segments.empty();
    }
    OL_ASSERT(single_ || plan().repeats == 1, "conv: only single steps are repeated");
  }

  Kernel generate();

 private:
  using Reg64 = Xbyak::Reg64;
  // In the chain: a pointer per row, the segment, an offset into A and a pointer or offset into B.
  const std::array<Reg64, 10> row_pointers_{rax, rbx, r8, r9, r10, r11, r12, r13, r14, r15};
  const Reg64 segment_ = rdi;
  const Reg64 a_offset_ = rcx;
  const Reg64 b_step_ = rdx;
  const Reg64 rounds_left_ = rsi;  // or the base of B where segments are single steps
  // In the epilogue: a pointer per operand, the row of the result and its byte offsets.
  const std::array<Reg64, 8> pointers_{rdx, rdi, r8, r9, r10, r11, r12, rsi};
  const Reg64 table_row_ = rcx;
  const Reg64 row_ = rbx;
  const std::array<Reg64, 2> row_offsets_{r13, r14};
  const Reg64 spilled_ = r15;

  const ConvPlan& plan() const { return tables_->plan; }
  Xbyak::Address slot(const Xbyak::RegExp& place) { return assembler_.qword[place]; }
  void add_bytes(const Reg64& target, int64_t count);
  void emit_panel(const ColumnPanel& panel);
  void emit_jobs(const ColumnPanel& panel, int rows, const std::vector<Job>& jobs);
  void emit_chain(Tile& tile);
  void emit_rounds(Tile& tile);
  void emit_single_steps(Tile& tile);
  void emit_epilogue(const Tile& tile, const ColumnPanel& panel);
  void emit_row_start(int row, const std::vector<OperandPlace>& places, bool moving_columns);

  ConvSpec spec_;
  Assembler assembler_;
  TileEpilogue epilogue_;
  int64_t bytes_;
  std::shared_ptr<Tables> tables_;
  bool single_ = true;       // every segment is one round
  bool some_empty_ = false;  // some chains have no steps
  const Xbyak::RegExp operands_ = assembler_.frame_slot(8);
  const Xbyak::RegExp column_ = assembler_.frame_slot(8);  // in bytes, where panels repeat
  const Xbyak::RegExp b_panel_ = assembler_.frame_slot(8);
  const Xbyak::RegExp job_ = assembler_.frame_slot(8);
  const Xbyak::RegExp first_segment_ = assembler_.frame_slot(8);
  const Xbyak::RegExp end_segment_ = assembler_.frame_slot(8);
  const Xbyak::RegExp tile_row_ = assembler_.frame_slot(8);
  const Xbyak::RegExp end_row_ = assembler_.frame_slot(8);
  const Xbyak::RegExp repeats_left_ = assembler_.frame_slot(8);
  std::vector<int64_t> offset_strides_;  // of row_offsets_
  std::vector<Xbyak::RegExp> pointer_slots_;
};

void ConvGenerator::add_bytes(const Reg64& target, int64_t count) {
  OL_ASSERT(count == static_cast<int32_t>(count), "conv: an offset does not fit into an addition");
  if (count != 0) assembler_.add(target, static_cast<int32_t>(count));
}

Kernel ConvGenerator::generate() {
  assembler_.enter(5);
  const int64_t tail = plan().columns % assembler_.vector_lanes();
  if (tail != 0) {
    assembler_.set_mask(assembler_.lanes(static_cast<int>(tail), kTailMask));
  }
  assembler_.mov(slot(operands_), rsi);
  std::vector<RowGroup> groups;
  for (const ConvGroup& group : plan().groups) {
    groups.push_back({static_cast<int64_t>(group.rows.size()), plan().steps(group)});
  }
  const TileLimits limits{assembler_.vector_lanes(), assembler_.register_count(),
                          static_cast<int>(row_pointers_.size())};
  for (const ColumnPanel& panel : plan_panels(groups, plan().columns, limits)) {
    emit_panel(panel);
  }
  assembler_.leave();
  return assembler_.finish(tables_);
}

void ConvGenerator::emit_panel(const ColumnPanel& panel) {
  std::map<int, std::vector<Job>> by_height;
  for (const ConvGroup& group : plan().groups) {
    const ConvRow* row = group.rows.data();
    for (const RowCut& cut :
         cut_rows(static_cast<int64_t>(group.rows.size()), panel.largest_rows)) {
      const ConvSegment* segments = group.segments.data();
      const ConvRow* end = row + cut.rows * cut.tiles;
      by_height[cut.rows].push_back({segments, segments + group.segments.size(), row, end});
      row = end;
    }
  }
  Xbyak::Label next;
  if (panel.repeats > 1) assembler_.mov(slot(column_), panel.first_column * bytes_);
  assembler_.L(next);
  assembler_.mov(rax, slot(operands_));
  assembler_.mov(rax, assembler_.ptr[rax + 8]);
  if (panel.repeats > 1) {
    assembler_.add(rax, slot(column_));
  } else {
    add_bytes(rax, panel.first_column * bytes_);
  }
  assembler_.mov(slot(b_panel_), rax);
  for (auto& [rows, jobs] : by_height) {
    tables_->jobs.push_back(std::move(jobs));
    emit_jobs(panel, rows, tables_->jobs.back());
  }
  if (panel.repeats == 1) return;
  const int64_t end = panel.first_column + panel.columns * panel.repeats;
  assembler_.mov(rax, slot(column_));
  add_bytes(rax, panel.columns * bytes_);
  assembler_.mov(slot(column_), rax);
  assembler_.cmp(rax, static_cast<int32_t>(end * bytes_));
  assembler_.jl(next);
}

void ConvGenerator::emit_jobs(const ColumnPanel& panel, int rows, const std::vector<Job>& jobs) {
  const int64_t left = panel.columns - (panel.vectors - 1) * int64_t{assembler_.vector_lanes()};
  Tile tile(assembler_, {.rows = rows,
                         .vectors = panel.vectors,
                         .last = assembler_.lanes(static_cast<int>(left), kTailMask)});
  Xbyak::Label next_job, next_tile;
  assembler_.mov(rax, reinterpret_cast<uint64_t>(jobs.data()));
  assembler_.L(next_job);
  assembler_.mov(slot(job_), rax);
  const std::array<std::pair<size_t, Xbyak::RegExp>, 4> fields{
      {{offsetof(Job, segments), first_segment_},
       {offsetof(Job, segments_end), end_segment_},
       {offsetof(Job, rows), tile_row_},
       {offsetof(Job, rows_end), end_row_}}};
  for (const auto& [offset, place] : fields) {
    assembler_.mov(rcx, assembler_.ptr[rax + offset]);
    assembler_.mov(slot(place), rcx);
  }
  assembler_.L(next_tile);
  emit_chain(tile);
  emit_epilogue(tile, panel);
  assembler_.mov(rax, slot(tile_row_));
  assembler_.add(rax, static_cast<int>(sizeof(ConvRow)) * rows);
  assembler_.mov(slot(tile_row_), rax);
  assembler_.cmp(rax, slot(end_row_));
  assembler_.jne(next_tile);
  if (jobs.size() == 1) return;
  assembler_.mov(rcx, reinterpret_cast<uint64_t>(jobs.data() + jobs.size()));
  assembler_.mov(rax, slot(job_));
  assembler_.add(rax, static_cast<int>(sizeof(Job)));
  assembler_.cmp(rax, rcx);
  assembler_.jne(next_job);
}

void ConvGenerator::emit_chain(Tile& tile) {
  assembler_.mov(rcx, slot(tile_row_));
  assembler_.mov(rdx, slot(operands_));
  assembler_.mov(rdx, assembler_.ptr[rdx]);
  for (int row = 0; row < tile.shape().rows; ++row) {
    const Reg64& pointer = row_pointers_[static_cast<size_t>(row)];
    const size_t offset = static_cast<size_t>(row) * sizeof(ConvRow) + offsetof(ConvRow, a);
    assembler_.movsxd(pointer, assembler_.dword[rcx + offset]);
    assembler_.lea(pointer, assembler_.ptr[rdx + pointer * static_cast<int>(bytes_)]);
  }
  tile.clear();
  Xbyak::Label done;
  assembler_.mov(segment_, slot(first_segment_));
  if (some_empty_) {
    assembler_.cmp(segment_, slot(end_segment_));
    assembler_.je(done);
  }
  single_ ? emit_single_steps(tile) : emit_rounds(tile);
  assembler_.L(done);
}

void ConvGenerator::emit_rounds(Tile& tile) {
  const auto scale = static_cast<int>(bytes_);
  Xbyak::Label next_segment, next_round;
  assembler_.L(next_segment);
  assembler_.movsxd(a_offset_, assembler_.dword[segment_ + offsetof(ConvSegment, a)]);
  assembler_.movsxd(b_step_, assembler_.dword[segment_ + offsetof(ConvSegment, b)]);
  assembler_.mov(rounds_left_.cvt32(), assembler_.dword[segment_ + offsetof(ConvSegment, rounds)]);
  assembler_.shl(a_offset_, bytes_ == 4 ? 2 : 3);
  assembler_.lea(b_step_, assembler_.ptr[b_step_ * scale]);
  assembler_.add(b_step_, slot(b_panel_));
  assembler_.L(next_round);
  for (int64_t p = 0; p < plan().round; ++p) {
    tile.step(
        [&](int row) {
          return row_pointers_[static_cast<size_t>(row)] + a_offset_ +
                 static_cast<size_t>(p * plan().a_step * bytes_);
        },
        [&](int vector) {
          return b_step_ + static_cast<size_t>(p * plan().b_step * bytes_ +
                                               vector * assembler_.vector_bytes());
        });
  }
  add_bytes(a_offset_, plan().round * plan().a_step * bytes_);
  add_bytes(b_step_, plan().round * plan().b_step * bytes_);
  assembler_.dec(rounds_left_.cvt32());
  assembler_.jnz(next_round);
  assembler_.add(segment_, static_cast<int>(sizeof(ConvSegment)));
  assembler_.cmp(segment_, slot(end_segment_));
  assembler_.jne(next_segment);
}

// Every segment is one round: no inner loop, and the base of B stays in a register.
void ConvGenerator::emit_single_steps(Tile& tile) {
  const auto scale = static_cast<int>(bytes_);
  const Reg64& b_base = rounds_left_;
  Xbyak::Label next_repeat, next_segment;
  assembler_.mov(b_base, slot(b_panel_));
  if (plan().repeats > 1) {
    assembler_.mov(slot(repeats_left_), static_cast<int32_t>(plan().repeats));
    assembler_.L(next_repeat);
    assembler_.mov(segment_, slot(first_segment_));
  }
  assembler_.L(next_segment);
  assembler_.movsxd(a_offset_, assembler_.dword[segment_ + offsetof(ConvSegment, a)]);
  assembler_.movsxd(b_step_, assembler_.dword[segment_ + offsetof(ConvSegment, b)]);
  for (int64_t p = 0; p < plan().round; ++p) {
    tile.step(
        [&](int row) {
          return row_pointers_[static_cast<size_t>(row)] + a_offset_ * scale +
                 static_cast<size_t>(p * plan().a_step * bytes_);
        },
        [&](int vector) {
          return b_base + b_step_ * scale +
                 static_cast<size_t>(p * plan().b_step * bytes_ +
                                     vector * assembler_.vector_bytes());
        });
  }
  assembler_.add(segment_, static_cast<int>(sizeof(ConvSegment)));
  assembler_.cmp(segment_, slot(end_segment_));
  assembler_.jne(next_segment);
  if (plan().repeats == 1) return;
  for (int row = 0; row < tile.shape().rows; ++row) {
    add_bytes(row_pointers_[static_cast<size_t>(row)], plan().a_repeat * bytes_);
  }
  add_bytes(b_base, plan().b_repeat * bytes_);
  assembler_.dec(slot(repeats_left_));
  assembler_.jnz(next_repeat);
}

void ConvGenerator::emit_epilogue(const Tile& tile, const ColumnPanel& panel) {
  const bool moving_columns = panel.repeats > 1;
  std::vector<OperandPlace> places;  // of row 0 of the result
  offset_strides_.clear();
  assembler_.mov(rsi, slot(operands_));
  for (size_t i = 0; i < epilogue_.operand_count(); ++i) {
    const TileStrides& strides = epilogue_.strides(i);
    const auto known = std::ranges::find(offset_strides_, strides[1]);
    const bool offset_fits = strides[1] == 0 || known != offset_strides_.end() ||
                             offset_strides_.size() < row_offsets_.size();
    if (i + 1 >= pointers_.size() || !offset_fits) {
      const size_t used = places.size() - static_cast<size_t>(std::ranges::count(
                                              places, false, &OperandPlace::loads_base));
      if (used == pointer_slots_.size()) pointer_slots_.push_back(assembler_.frame_slot(8));
      places.push_back(
          {.address = Xbyak::RegExp(rax), .loads_base = true, .base = pointer_slots_[used]});
      continue;
    }
    assembler_.mov(pointers_[i], assembler_.ptr[rsi + 8 * (2 + static_cast<int>(i))]);
    if (moving_columns && strides[2] != 0) assembler_.add(pointers_[i], slot(column_));
    if (strides[1] == 0) {
      places.push_back({.address = Xbyak::RegExp(pointers_[i])});
      continue;
    }
    const auto index = static_cast<size_t>(known - offset_strides_.begin());
    if (known == offset_strides_.end()) offset_strides_.push_back(strides[1]);
    places.push_back({.address = pointers_[i] + row_offsets_[index]});
  }
  assembler_.mov(table_row_, slot(tile_row_));
  epilogue_.emit(
      tile,
      [&](size_t operand, int) {
        OperandPlace place = places[operand];
        const int64_t column =
            moving_columns ? 0 : panel.first_column * epilogue_.strides(operand)[2];
        place.address = place.address + static_cast<size_t>(column * bytes_);
        return place;
      },
      [&](int row) { emit_row_start(row, places, moving_columns); });
}

// Byte offsets of a row of the result, and the operands that have no register.
void ConvGenerator::emit_row_start(int row, const std::vector<OperandPlace>& places,
                                   bool moving_columns) {
  const size_t offset = static_cast<size_t>(row) * sizeof(ConvRow) + offsetof(ConvRow, row);
  assembler_.movsxd(row_, assembler_.dword[table_row_ + offset]);
  const auto stride_bytes = [&](int64_t stride) {
    const int64_t count = stride * bytes_;
    OL_ASSERT(count == static_cast<int32_t>(count), "conv: a row stride is too large");
    return static_cast<int32_t>(count);
  };
  for (size_t i = 0; i < offset_strides_.size(); ++i) {
    assembler_.imul(row_offsets_[i], row_, stride_bytes(offset_strides_[i]));
  }
  for (size_t i = 0; i < places.size(); ++i) {
    if (!places[i].loads_base) continue;
    const TileStrides& strides = epilogue_.strides(i);
    assembler_.imul(spilled_, row_, stride_bytes(strides[1]));
    assembler_.mov(rax, slot(operands_));
    assembler_.add(spilled_, assembler_.ptr[rax + 8 * (2 + static_cast<int>(i))]);
    if (moving_columns && strides[2] != 0) assembler_.add(spilled_, slot(column_));
    assembler_.mov(slot(places[i].base), spilled_);
  }
}

void check(const ConvSpec& spec) {
  const ConvGeometry& g = spec.geometry;
  OL_ASSERT(is_floating(spec.dtype), "conv works on floating point numbers");
  for (const int64_t extent : {g.images, g.height, g.width, g.in_channels, g.out_height,
                               g.out_width, g.out_channels, g.kernel_height, g.kernel_width}) {
    OL_ASSERT(extent >= 0 && extent <= INT32_MAX, "conv: an extent is out of range");
  }
  OL_ASSERT(g.stride >= 1 && g.pad_top >= 0 && g.pad_left >= 0,
            "conv: strides are at least 1, paddings at least 0");
  check_epilogue(spec.epilogue);
}

}  // namespace

Kernel make_conv(const ConvSpec& spec, Isa isa) {
  check(spec);
  if (isa == Isa::scalar) return make_conv_oracle(spec);
  return ConvGenerator(spec, isa).generate();
}

}  // namespace outerloop::exec
