#include "exec/cpu/conv_narrow.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "exec/cpu/body_emitter.h"
#include "exec/cpu/conv_transpose.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

using namespace Xbyak::util;

// Two blocks of rows per tile: while the chains of one wait, the other is transposed.
constexpr int kHalves = 2;

int vector_lanes(DType dtype, Isa isa) {
  return (isa == Isa::avx512 ? 64 : 32) / static_cast<int>(size_of(dtype));
}

// All rows of a group, and the same segments cut to ConvPlan::unit steps.
struct Job {
  const ConvSegment* segments;
  const ConvSegment* segments_end;
  const ConvRow* rows;
  const ConvRow* rows_end;
};
struct Tables {
  std::vector<ConvGroup> groups;  // rows padded to whole tiles
  std::vector<Job> jobs;
};

class NarrowGenerator {
 public:
  NarrowGenerator(const ConvPlan& plan, DType dtype, const Epilogue& epilogue, Isa isa)
      : plan_(plan),
        epilogue_(epilogue),
        assembler_(isa, dtype),
        body_(assembler_, epilogue_.body, kCompareMask),
        bytes_(assembler_.element_bytes()),
        lanes_(assembler_.vector_lanes()),
        tables_(std::make_shared<Tables>()) {}

  Kernel generate();

 private:
  using Reg64 = Xbyak::Reg64;
  static constexpr int kOneMask = 1, kCompareMask = 2, kTailMask = 3;

  const Reg64 operands_ = rsi;
  const Reg64 job_ = r8;
  const Reg64 tile_row_ = r9;  // of the table
  const Reg64 segment_ = rdi;
  const Reg64 a_step_ = r10;
  const Reg64 b_step_ = r11;
  const Reg64 blocks_left_ = rcx;
  const Reg64 a_base_ = r12;
  const Reg64 b_base_ = r13;
  // In the epilogue: the row of the table and the place of its accumulators.
  const Reg64 row_ = rcx;
  const Reg64 end_row_ = rdx;
  const Reg64 chain_ = rbx;
  const Reg64 pointer_ = r14;
  const Reg64 row_number_ = r15;

  int tile_rows() const { return kHalves * lanes_; }
  int columns() const { return static_cast<int>(plan_.columns); }
  int accumulator(int half, int column) const { return half * columns() + column; }
  int first_block_register() const { return kHalves * columns(); }
  Xbyak::RegExp chain_at(int half, int column) const {
    return chains_ + static_cast<size_t>((column * tile_rows() + half * lanes_) * bytes_);
  }

  void fill_tables();
  void emit_tile();
  void emit_chain();
  void emit_block(int steps);
  void emit_half_block(int half, int steps);
  void emit_rows();
  void emit_row();

  ConvPlan plan_;
  Epilogue epilogue_;
  Assembler assembler_;
  BodyEmitter body_;
  int bytes_;
  int lanes_;
  std::shared_ptr<Tables> tables_;
  bool some_empty_ = false;
  Xbyak::RegExp chains_;                   // [column][row of the tile]
  std::vector<Xbyak::RegExp> row_places_;  // of the epilogue's operands
};

void NarrowGenerator::fill_tables() {
  for (const ConvGroup& group : plan_.groups) {
    if (group.rows.empty()) continue;
    ConvGroup& kept = tables_->groups.emplace_back();
    kept.rows = group.rows;
    for (const ConvSegment& segment : group.segments) {
      const int64_t steps = segment.rounds * plan_.round;
      for (int64_t done = 0; done < steps; done += plan_.unit) {
        kept.segments.push_back({static_cast<int32_t>(segment.a + done * plan_.a_step),
                                 static_cast<int32_t>(segment.b + done * plan_.b_step)});
      }
    }
    some_empty_ |= kept.segments.empty();
    const size_t tiles = (kept.rows.size() + static_cast<size_t>(tile_rows()) - 1) /
                         static_cast<size_t>(tile_rows());
    kept.rows.resize(tiles * static_cast<size_t>(tile_rows()), kept.rows.back());
  }
  size_t index = 0;
  for (const ConvGroup& group : plan_.groups) {
    if (group.rows.empty()) continue;
    const ConvGroup& kept = tables_->groups[index++];
    tables_->jobs.push_back({kept.segments.data(), kept.segments.data() + kept.segments.size(),
                             kept.rows.data(), kept.rows.data() + group.rows.size()});
  }
}

Kernel NarrowGenerator::generate() {
  fill_tables();
  assembler_.enter(5);
  if (!tables_->jobs.empty() && columns() > 0) {
    chains_ = assembler_.frame_slot(columns() * tile_rows() * bytes_);
    for (size_t i = 0; i < epilogue_.inputs.size() + epilogue_.outputs.size(); ++i) {
      row_places_.push_back(assembler_.frame_slot(8));
    }
    assembler_.set_mask(assembler_.lanes(1, kOneMask));
    const auto tail = static_cast<int>(plan_.unit % lanes_);
    if (tail != 0) assembler_.set_mask(assembler_.lanes(tail, kTailMask));
    assembler_.mov(a_base_, assembler_.ptr[operands_]);
    assembler_.mov(b_base_, assembler_.ptr[operands_ + 8]);
    Xbyak::Label next_job, next_tile;
    assembler_.mov(job_, reinterpret_cast<uint64_t>(tables_->jobs.data()));
    assembler_.L(next_job);
    assembler_.mov(tile_row_, assembler_.ptr[job_ + offsetof(Job, rows)]);
    assembler_.L(next_tile);
    emit_tile();
    assembler_.add(tile_row_, static_cast<uint32_t>(sizeof(ConvRow)) * tile_rows());
    assembler_.cmp(tile_row_, assembler_.ptr[job_ + offsetof(Job, rows_end)]);
    assembler_.jb(next_tile);
    assembler_.add(job_, static_cast<uint32_t>(sizeof(Job)));
    assembler_.mov(rax, reinterpret_cast<uint64_t>(tables_->jobs.data() + tables_->jobs.size()));
    assembler_.cmp(job_, rax);
    assembler_.jne(next_job);
  }
  assembler_.leave();
  return assembler_.finish(tables_);
}

void NarrowGenerator::emit_tile() {
  for (int i = 0; i < kHalves * columns(); ++i) assembler_.zero(assembler_.vec(i));
  emit_chain();
  for (int half = 0; half < kHalves; ++half) {
    for (int j = 0; j < columns(); ++j) {
      assembler_.vmovups(assembler_.ptr[chain_at(half, j)], assembler_.vec(accumulator(half, j)));
    }
  }
  emit_rows();
}

void NarrowGenerator::emit_chain() {
  const int64_t blocks = plan_.unit / lanes_;
  Xbyak::Label next_segment, next_block, done;
  assembler_.mov(segment_, assembler_.ptr[job_ + offsetof(Job, segments)]);
  if (some_empty_) {
    assembler_.cmp(segment_, assembler_.ptr[job_ + offsetof(Job, segments_end)]);
    assembler_.je(done);
  }
  assembler_.L(next_segment);
  assembler_.movsxd(a_step_, assembler_.dword[segment_ + offsetof(ConvSegment, a)]);
  assembler_.movsxd(b_step_, assembler_.dword[segment_ + offsetof(ConvSegment, b)]);
  assembler_.lea(a_step_, assembler_.ptr[a_base_ + a_step_ * bytes_]);
  assembler_.lea(b_step_, assembler_.ptr[b_base_ + b_step_ * bytes_]);
  if (blocks > 0) {
    assembler_.mov(blocks_left_.cvt32(), static_cast<uint32_t>(blocks));
    assembler_.L(next_block);
    emit_block(lanes_);
    assembler_.dec(blocks_left_.cvt32());
    assembler_.jnz(next_block);
  }
  if (plan_.unit % lanes_ != 0) emit_block(static_cast<int>(plan_.unit % lanes_));
  assembler_.add(segment_, static_cast<uint32_t>(sizeof(ConvSegment)));
  assembler_.cmp(segment_, assembler_.ptr[job_ + offsetof(Job, segments_end)]);
  assembler_.jne(next_segment);
  assembler_.L(done);
}

void NarrowGenerator::emit_block(int steps) {
  for (int half = 0; half < kHalves; ++half) emit_half_block(half, steps);
  if (steps < lanes_) return;
  assembler_.add(a_step_, static_cast<uint32_t>(steps * bytes_));
  assembler_.add(b_step_, static_cast<uint32_t>(steps * plan_.b_step * bytes_));
}

// `steps` consecutive elements of each row of the half become vectors over the rows.
void NarrowGenerator::emit_half_block(int half, int steps) {
  const Lanes part = assembler_.lanes(steps, kTailMask);
  std::vector<int> rows(static_cast<size_t>(lanes_));
  for (int i = 0; i < lanes_; ++i) {
    rows[static_cast<size_t>(i)] = first_block_register() + i;
    const size_t offset = static_cast<size_t>(half * lanes_ + i) * sizeof(ConvRow);
    assembler_.movsxd(rax, assembler_.dword[tile_row_ + offset + offsetof(ConvRow, a)]);
    assembler_.load_lanes(assembler_.vec(rows[static_cast<size_t>(i)], part.bits),
                          a_step_ + rax * bytes_, part);
  }
  int spare = first_block_register() + lanes_;
  const std::vector<int> steps_in = transpose_block(assembler_, rows, spare);
  for (int p = 0; p < steps; ++p) {
    const Vector a = assembler_.vec(steps_in[static_cast<size_t>(p)]);
    for (int j = 0; j < columns(); ++j) {
      const Xbyak::RegExp b = b_step_ + static_cast<size_t>((p * plan_.b_step + j) * bytes_);
      const Vector chain = assembler_.vec(accumulator(half, j));
      if (assembler_.is_avx512()) {
        assembler_.fma231(chain, a, assembler_.ptr_b[b]);
      } else {
        assembler_.load_broadcast(assembler_.vec(spare), b);
        assembler_.fma231(chain, a, assembler_.vec(spare));
      }
    }
  }
}

// The epilogue, element by element: it is short beside a chain.
void NarrowGenerator::emit_rows() {
  Xbyak::Label next, whole;
  assembler_.lea(chain_, assembler_.ptr[chain_at(0, 0)]);
  assembler_.mov(row_, tile_row_);
  assembler_.lea(end_row_,
                 assembler_.ptr[tile_row_ + static_cast<size_t>(tile_rows()) * sizeof(ConvRow)]);
  assembler_.cmp(end_row_, assembler_.ptr[job_ + offsetof(Job, rows_end)]);
  assembler_.jbe(whole);
  assembler_.mov(end_row_, assembler_.ptr[job_ + offsetof(Job, rows_end)]);
  assembler_.L(whole);
  assembler_.L(next);
  emit_row();
  assembler_.add(chain_, bytes_);
  assembler_.add(row_, static_cast<uint32_t>(sizeof(ConvRow)));
  assembler_.cmp(row_, end_row_);
  assembler_.jne(next);
}

void NarrowGenerator::emit_row() {
  const size_t inputs = epilogue_.inputs.size();
  const auto strides = [&](size_t operand) -> const TileStrides& {
    return operand < inputs ? epilogue_.inputs[operand] : epilogue_.outputs[operand - inputs];
  };
  assembler_.movsxd(row_number_, assembler_.dword[row_ + offsetof(ConvRow, row)]);
  for (size_t i = 0; i < row_places_.size(); ++i) {
    const int64_t stride = strides(i)[1] * bytes_;
    OL_ASSERT(stride == static_cast<int32_t>(stride), "conv: a row stride is too large");
    assembler_.imul(pointer_, row_number_, static_cast<int32_t>(stride));
    assembler_.add(pointer_, assembler_.ptr[operands_ + 8 * (2 + static_cast<int>(i))]);
    assembler_.mov(assembler_.qword[row_places_[i]], pointer_);
  }
  std::vector<int> free(static_cast<size_t>(assembler_.register_count()));
  for (size_t i = 0; i < free.size(); ++i) free[i] = static_cast<int>(i);
  for (int j = 0; j < columns(); ++j) {
    const auto at = [&](size_t operand) {
      return rax + static_cast<size_t>(j * strides(operand)[2] * bytes_);
    };
    std::vector<BodySource> sources{
        BodySource::vector(chain_ + static_cast<size_t>(j * tile_rows() * bytes_))};
    std::vector<BodySink> sinks;
    for (size_t i = 0; i < row_places_.size(); ++i) {
      if (i < inputs) {
        sources.push_back({.kind = BodySource::Kind::vector,
                           .address = at(i),
                           .loads_base = true,
                           .base = row_places_[i]});
      } else {
        sinks.push_back({.address = at(i), .loads_base = true, .base = row_places_[i]});
      }
    }
    body_.emit(sources, sinks, free, assembler_.lanes(1, kOneMask));
  }
}

}  // namespace

bool is_narrow(const ConvPlan& plan, DType dtype, Isa isa) {
  const int64_t lanes = vector_lanes(dtype, isa);
  const int64_t registers = isa == Isa::avx512 ? 32 : 16;
  int64_t rows = 0;
  for (const ConvGroup& group : plan.groups) {
    rows = std::max(rows, static_cast<int64_t>(group.rows.size()));
  }
  if (rows < 2 * kHalves * lanes || plan.unit < lanes) return false;
  if (kHalves * plan.columns + lanes + 1 > registers) return false;
  // Cycles for `lanes` steps of `lanes` rows: shuffles and FMAs, two per cycle, against one FMA of
  // a row and a step.
  const int64_t transposed = lanes * (std::bit_width(static_cast<uint64_t>(lanes)) - 1) / 2;
  return 5 * (transposed + plan.columns * lanes / 2) < 4 * lanes * lanes / 2;
}

Kernel make_narrow(const ConvPlan& plan, DType dtype, const Epilogue& epilogue, Isa isa) {
  return NarrowGenerator(plan, dtype, epilogue, isa).generate();
}

}  // namespace outerloop::exec
