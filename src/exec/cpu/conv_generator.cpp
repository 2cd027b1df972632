#include "exec/cpu/conv_generator.h"

#include <algorithm>
#include <cstddef>

#include "outerloop/base/error.h"

namespace outerloop::exec {

using namespace Xbyak::util;

ConvGenerator::ConvGenerator(ConvPlan plan, DType dtype, const Epilogue& epilogue, Isa isa)
    : epilogue_spec_(epilogue),
      assembler_(isa, dtype),
      epilogue_(assembler_, epilogue_spec_, kCompareMask),
      bytes_(assembler_.element_bytes()),
      tables_(std::make_shared<Tables>()),
      row_pointers_{rax, rbx, r8, r9, r10, r11, r12, r13, r14, r15},
      segment_(rdi),
      a_offset_(rcx),
      b_step_(rdx),
      rounds_left_(rsi),
      pointers_{rdx, rdi, r8, r9, r10, r11, r12, rsi},
      table_row_(rcx),
      row_(rbx),
      spilled_(r15),
      row_offsets_{r13, r14},
      operands_(assembler_.frame_slot(8)),
      column_(assembler_.frame_slot(8)),
      b_panel_(assembler_.frame_slot(8)),
      b_base_(assembler_.frame_slot(8)),
      a_chunk_(assembler_.frame_slot(8)),
      chunk_(assembler_.frame_slot(8)),
      range_(assembler_.frame_slot(8)),
      range_end_(assembler_.frame_slot(8)),
      job_(assembler_.frame_slot(8)),
      job_end_(assembler_.frame_slot(8)),
      first_segment_(assembler_.frame_slot(8)),
      end_segment_(assembler_.frame_slot(8)),
      tile_row_(assembler_.frame_slot(8)),
      end_row_(assembler_.frame_slot(8)),
      repeats_left_(assembler_.frame_slot(8)),
      scratch_(assembler_.frame_slot(8)) {
  tables_->plan = std::move(plan);
  single_ = !this->plan().masked;
  for (const ConvGroup& group : this->plan().groups) {
    for (const ConvSegment& segment : group.segments) single_ &= segment.rounds == 1;
  }
}

void ConvGenerator::add_bytes(const Xbyak::Operand& target, int64_t count) {
  OL_ASSERT(count == static_cast<int32_t>(count), "conv: an offset does not fit into an addition");
  if (count != 0) assembler_.CodeGenerator::add(target, static_cast<uint32_t>(count));
}

// Leaves the new position in rax.
void ConvGenerator::advance(const Xbyak::RegExp& place, size_t bytes) {
  assembler_.mov(rax, slot(place));
  assembler_.add(rax, static_cast<uint32_t>(bytes));
  assembler_.mov(slot(place), rax);
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
    groups.push_back({static_cast<int64_t>(group.rows.size()), group.steps});
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
  const int64_t row_bytes = panel.vectors * int64_t{assembler_.vector_bytes()};
  tables_->panels.push_back(std::make_unique<PanelJobs>(
      make_panel_jobs(plan(), panel, chunked() ? kScratchBytes / row_bytes : INT64_MAX)));
  const PanelJobs& jobs = *tables_->panels.back();
  if (jobs.ranges.empty()) return;
  if (chunked()) {
    scratch_area_ = assembler_.frame_slot(static_cast<int>(jobs.block_rows * row_bytes));
  }
  Xbyak::Label next_panel, next_block;
  if (panel.repeats > 1) assembler_.mov(slot(column_), panel.first_column * bytes_);
  assembler_.L(next_panel);
  assembler_.mov(rax, reinterpret_cast<uint64_t>(jobs.ranges.data()));
  assembler_.mov(slot(range_), rax);
  assembler_.L(next_block);
  assembler_.mov(rax, slot(operands_));
  assembler_.mov(rax, assembler_.ptr[rax + 8]);
  if (panel.repeats > 1) {
    assembler_.add(rax, slot(column_));
  } else {
    add_bytes(rax, panel.first_column * bytes_);
  }
  assembler_.mov(slot(b_panel_), rax);
  emit_block(panel, jobs);
  if (jobs.blocks > 1) {
    advance(range_, jobs.codes.size() * sizeof(JobRange));
    assembler_.mov(rcx, reinterpret_cast<uint64_t>(jobs.ranges.data() + jobs.ranges.size()));
    assembler_.cmp(rax, rcx);
    assembler_.jne(next_block);
  }
  if (panel.repeats == 1) return;
  const int64_t end = (panel.first_column + panel.columns * panel.repeats) * bytes_;
  advance(column_, static_cast<size_t>(panel.columns * bytes_));
  assembler_.cmp(rax, static_cast<uint32_t>(end));
  assembler_.jl(next_panel);
}

void ConvGenerator::emit_block(const ColumnPanel& panel, const PanelJobs& jobs) {
  Xbyak::Label next_chunk;
  if (chunked()) {
    assembler_.xor_(eax, eax);
    assembler_.mov(slot(a_chunk_), rax);
    assembler_.mov(slot(chunk_), rax);
    assembler_.L(next_chunk);
    assembler_.lea(rax, assembler_.ptr[scratch_area_]);
    assembler_.mov(slot(scratch_), rax);
  }
  for (size_t code = 0; code < jobs.codes.size(); ++code) emit_code(panel, jobs, code);
  if (!chunked()) return;
  add_bytes(slot(a_chunk_), plan().chunks.a * bytes_);
  add_bytes(slot(b_panel_), plan().chunks.b * bytes_);
  advance(chunk_, 1);
  assembler_.cmp(rax, static_cast<uint32_t>(plan().chunks.count));
  assembler_.jl(next_chunk);
}

// The tiles of a block that share code.
void ConvGenerator::emit_code(const ColumnPanel& panel, const PanelJobs& jobs, size_t code) {
  const int64_t left = panel.columns - (panel.vectors - 1) * int64_t{assembler_.vector_lanes()};
  Tile tile(assembler_, {.size = {jobs.codes[code].rows, panel.vectors},
                         .last = assembler_.lanes(static_cast<int>(left), kTailMask)});
  bool some_empty = false, some_absent = false;
  for (size_t i = code; i < jobs.ranges.size(); i += jobs.codes.size()) {
    const JobRange& range = jobs.ranges[i];
    some_absent |= range.begin == range.end;
    for (const ConvJob* job = range.begin; job != range.end; ++job) {
      some_empty |= job->segments == job->segments_end;
    }
  }
  Xbyak::Label next_job, next_tile, done;
  assembler_.mov(rcx, slot(range_));
  assembler_.mov(rax, assembler_.ptr[rcx + code * sizeof(JobRange) + offsetof(JobRange, begin)]);
  assembler_.mov(rcx, assembler_.ptr[rcx + code * sizeof(JobRange) + offsetof(JobRange, end)]);
  assembler_.mov(slot(job_), rax);
  assembler_.mov(slot(job_end_), rcx);
  if (some_absent) {
    assembler_.cmp(rax, rcx);
    assembler_.je(done);
  }
  assembler_.L(next_job);
  const std::array<std::pair<size_t, Xbyak::RegExp>, 4> fields{
      {{offsetof(ConvJob, segments), first_segment_},
       {offsetof(ConvJob, segments_end), end_segment_},
       {offsetof(ConvJob, rows), tile_row_},
       {offsetof(ConvJob, rows_end), end_row_}}};
  for (const auto& [offset, place] : fields) {
    assembler_.mov(rcx, assembler_.ptr[rax + offset]);
    assembler_.mov(slot(place), rcx);
  }
  assembler_.L(next_tile);
  emit_tile(panel, tile, jobs.codes[code], some_empty);
  advance(tile_row_, static_cast<size_t>(tile.size().rows) * sizeof(ConvRow));
  assembler_.cmp(rax, slot(end_row_));
  assembler_.jne(next_tile);
  advance(job_, sizeof(ConvJob));
  assembler_.cmp(rax, slot(job_end_));
  assembler_.jne(next_job);
  assembler_.L(done);
}

void ConvGenerator::emit_tile(const ColumnPanel& panel, Tile& tile, const TileCode& code,
                              bool some_empty) {
  Xbyak::Label chain, chain_done, done;
  emit_row_pointers(tile.size().rows);
  if (chunked()) {
    Xbyak::Label first;
    assembler_.cmp(slot(chunk_), 0);
    assembler_.je(first);
    emit_load_partials(tile);
    assembler_.jmp(chain);
    assembler_.L(first);
  }
  tile.clear();
  assembler_.L(chain);
  assembler_.mov(segment_, slot(first_segment_));
  if (some_empty) {
    assembler_.cmp(segment_, slot(end_segment_));
    assembler_.je(chain_done);
  }
  emit_chain(tile, code);
  assembler_.L(chain_done);
  if (chunked()) {
    Xbyak::Label last;
    assembler_.cmp(slot(chunk_), static_cast<uint32_t>(plan().chunks.count - 1));
    assembler_.je(last);
    emit_store_partials(tile);
    assembler_.jmp(done);
    assembler_.L(last);
  }
  emit_epilogue(tile, panel);
  assembler_.L(done);
  if (chunked()) {
    const int accumulators = tile.size().accumulators();
    advance(scratch_, static_cast<size_t>(accumulators * assembler_.vector_bytes()));
  }
}

void ConvGenerator::emit_row_pointers(int rows) {
  assembler_.mov(rcx, slot(tile_row_));
  assembler_.mov(rdx, slot(operands_));
  assembler_.mov(rdx, assembler_.ptr[rdx]);
  if (chunked()) assembler_.add(rdx, slot(a_chunk_));
  for (int row = 0; row < rows; ++row) {
    const Reg64& pointer = row_pointers_[static_cast<size_t>(row)];
    const size_t offset = static_cast<size_t>(row) * sizeof(ConvRow) + offsetof(ConvRow, a);
    assembler_.movsxd(pointer, assembler_.dword[rcx + offset]);
    assembler_.lea(pointer, assembler_.ptr[rdx + pointer * static_cast<int>(bytes_)]);
  }
}

void ConvGenerator::emit_load_partials(const Tile& tile) {
  assembler_.mov(rcx, slot(scratch_));
  for (int i = 0; i < tile.size().accumulators(); ++i) {
    assembler_.vmovups(assembler_.vec(i), assembler_.ptr[rcx + i * assembler_.vector_bytes()]);
  }
}

void ConvGenerator::emit_store_partials(const Tile& tile) {
  assembler_.mov(rcx, slot(scratch_));
  for (int i = 0; i < tile.size().accumulators(); ++i) {
    assembler_.vmovups(assembler_.ptr[rcx + i * assembler_.vector_bytes()], assembler_.vec(i));
  }
}

}  // namespace outerloop::exec
