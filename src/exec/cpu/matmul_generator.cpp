#include "exec/cpu/matmul_generator.h"

#include <algorithm>
#include <cstdlib>

#include "outerloop/base/error.h"

namespace outerloop::exec {

using namespace Xbyak::util;

namespace {

constexpr int64_t kMaxDisplacement = int64_t{1} << 30;

}  // namespace

MatmulGenerator::MatmulGenerator(const MatmulSpec& spec, Isa isa, int first)
    : spec_(spec),
      a_operand_(first),
      assembler_(isa, spec.dtype),
      epilogue_(assembler_, spec_.epilogue, kCompareMask),
      bytes_(assembler_.element_bytes()),
      operands_(rsi),
      a_tile_(r8),
      b_panel_(r9),
      a_step_(r10),
      b_step_(r11),
      steps_left_(rcx),
      row_(r12),
      column_(r14),
      batch_(r15),
      pointers_{rcx, rdx, rdi, r10, r11, rbx, r13} {}

void MatmulGenerator::add_bytes(const Reg64& target, int64_t count) {
  if (count == 0) return;
  if (count == static_cast<int32_t>(count)) {
    assembler_.add(target, static_cast<int32_t>(count));
  } else {
    assembler_.mov(rax, count);
    assembler_.add(target, rax);
  }
}

// target += index * count
void MatmulGenerator::add_product(const Reg64& target, const Reg64& index, int64_t count) {
  if (count == 0) return;
  if (count == static_cast<int32_t>(count)) {
    assembler_.imul(rax, index, static_cast<int32_t>(count));
  } else {
    assembler_.mov(rax, count);
    assembler_.imul(rax, index);
  }
  assembler_.add(target, rax);
}

Kernel MatmulGenerator::generate() {
  assembler_.enter(5);
  const int64_t tail = spec_.n % assembler_.vector_lanes();
  if (tail != 0) {
    assembler_.set_mask(assembler_.lanes(static_cast<int>(tail), kTailMask));
  }
  if (spec_.batch == 1) {
    emit_batch();
  } else if (spec_.batch > 1) {
    Xbyak::Label next;
    assembler_.xor_(batch_, batch_);
    assembler_.L(next);
    emit_batch();
    assembler_.inc(batch_);
    assembler_.cmp(batch_, static_cast<int32_t>(spec_.batch));
    assembler_.jl(next);
  }
  assembler_.leave();
  return assembler_.finish();
}

void MatmulGenerator::emit_batch() {
  const RowGroup rows{spec_.m, spec_.k};
  const TileLimits limits{assembler_.vector_lanes(), assembler_.register_count(),
                          assembler_.register_count(), assembler_.is_avx512()};
  for (const ColumnPanel& panel : plan_panels({&rows, 1}, spec_.n, limits)) {
    if (panel.repeats == 1) {
      emit_panel(panel);
      continue;
    }
    Xbyak::Label next;
    assembler_.mov(column_, panel.first_column * bytes_);
    assembler_.L(next);
    emit_panel(panel);
    add_bytes(column_, panel.columns * bytes_);
    assembler_.mov(rax, (panel.first_column + panel.columns * panel.repeats) * bytes_);
    assembler_.cmp(column_, rax);
    assembler_.jl(next);
  }
}

Lanes MatmulGenerator::lanes_of(const ColumnPanel& panel, int vector) const {
  const int64_t left = panel.columns - vector * int64_t{assembler_.vector_lanes()};
  if (left >= assembler_.vector_lanes()) return assembler_.full();
  return assembler_.lanes(static_cast<int>(left), kTailMask);
}

void MatmulGenerator::emit_panel(const ColumnPanel& panel) {
  assembler_.mov(a_tile_, assembler_.ptr[operands_ + 8 * a_operand_]);
  assembler_.mov(b_panel_, assembler_.ptr[operands_ + 8 * (1 - a_operand_)]);
  if (spec_.batch > 1) {
    add_product(a_tile_, batch_, spec_.a_batch * bytes_);
    add_product(b_panel_, batch_, spec_.b_batch * bytes_);
  }
  if (panel.repeats > 1) {
    assembler_.add(b_panel_, column_);
  } else {
    add_bytes(b_panel_, panel.first_column * bytes_);
  }
  b_row_ = spec_.b_k * bytes_;
  if (packs(panel)) emit_pack(panel);
  if (panel.pairs_rows) assembler_.set_upper_half_mask(kPairMask);
  if (moves_rows()) assembler_.xor_(row_, row_);
  int64_t end_row = 0;
  for (const RowCut& cut : cut_rows(spec_.m, panel.largest_rows)) {
    end_row += cut.rows * cut.tiles;
    emit_tiles(panel, cut, end_row);
  }
}

// Rows of B that lie a multiple of 4 KiB apart share their places in the caches; a dense copy of
// the panel pays when it is read often. (64x1024x1024 on AVX2: 107 GF/s instead of 53.)
bool MatmulGenerator::packs(const ColumnPanel& panel) const {
  constexpr int64_t kLeast = 16 << 10, kMost = 256 << 10, kAlias = 4096, kReadsPerLine = 4;
  const int64_t row_bytes = panel.vectors * int64_t{assembler_.vector_bytes()};
  const int64_t reads = spec_.m / panel.largest_rows;
  return spec_.b_k * bytes_ % kAlias == 0 && reads >= kReadsPerLine * row_bytes / 64 &&
         spec_.k * row_bytes >= kLeast && spec_.k * row_bytes <= kMost;
}

void MatmulGenerator::emit_pack(const ColumnPanel& panel) {
  const int row_bytes = panel.vectors * assembler_.vector_bytes();
  if (spec_.k * row_bytes > packed_bytes_) {
    packed_bytes_ = spec_.k * row_bytes;
    packed_ = assembler_.frame_slot(static_cast<int>(packed_bytes_));
  }
  Xbyak::Label next;
  assembler_.lea(b_step_, assembler_.ptr[packed_]);
  assembler_.mov(steps_left_.cvt32(), static_cast<uint32_t>(spec_.k));
  assembler_.L(next);
  for (int v = 0; v < panel.vectors; ++v) {
    const Lanes lanes = lanes_of(panel, v);
    assembler_.load_lanes(assembler_.vec(v, lanes.bits),
                          b_panel_ + static_cast<size_t>(v * assembler_.vector_bytes()), lanes);
    assembler_.vmovups(assembler_.ptr[b_step_ + static_cast<size_t>(v * assembler_.vector_bytes())],
                       assembler_.vec(v));
  }
  add_bytes(b_panel_, b_row_);
  assembler_.add(b_step_, static_cast<uint32_t>(row_bytes));
  assembler_.dec(steps_left_.cvt32());
  assembler_.jnz(next);
  assembler_.lea(b_panel_, assembler_.ptr[packed_]);
  b_row_ = row_bytes;
}

void MatmulGenerator::emit_tiles(const ColumnPanel& panel, const RowCut& cut, int64_t end_row) {
  Tile tile(assembler_, {.size = {cut.rows, panel.vectors, panel.pairs_rows},
                         .last = lanes_of(panel, panel.vectors - 1),
                         .pair_mask = kPairMask});
  Xbyak::Label next;
  assembler_.L(next);
  tile.clear();
  emit_chain(tile);
  emit_epilogue(tile, panel);
  if (end_row == spec_.m && cut.tiles == 1) return;
  add_bytes(a_tile_, cut.rows * spec_.a_row * bytes_);
  assembler_.add(row_, cut.rows);
  if (cut.tiles == 1) return;
  assembler_.cmp(row_, static_cast<int32_t>(end_row));
  assembler_.jl(next);
}

void MatmulGenerator::emit_chain(Tile& tile) {
  // Enough FMAs per round to hide the loop, few enough to keep the code small.
  constexpr int64_t kRound = 48, kStraight = 96;
  const int64_t fmas = tile.size().accumulators();
  const int64_t per_round = std::clamp<int64_t>((kRound + fmas - 1) / fmas, 1, 8);
  const bool straight = spec_.k * fmas <= kStraight || spec_.k <= per_round;
  const int64_t round = straight ? spec_.k : per_round;
  const int64_t rounds = straight ? 1 : spec_.k / round;
  const auto steps = [&](int64_t count, const Reg64& a, const Reg64& b) {
    for (int64_t p = 0; p < count; ++p) {
      tile.step(
          [&](int row) {
            const int64_t offset = (row * spec_.a_row + p * spec_.a_k) * bytes_;
            OL_ASSERT(std::abs(offset) < kMaxDisplacement, "matmul: stride of A is too large");
            return a + static_cast<size_t>(offset);
          },
          [&](int vector) {
            const int64_t offset = p * b_row_ + vector * assembler_.vector_bytes();
            OL_ASSERT(std::abs(offset) < kMaxDisplacement, "matmul: stride of B is too large");
            return b + static_cast<size_t>(offset);
          });
    }
  };
  if (rounds == 1) {
    steps(spec_.k, a_tile_, b_panel_);
    return;
  }
  Xbyak::Label next;
  assembler_.mov(a_step_, a_tile_);
  assembler_.mov(b_step_, b_panel_);
  assembler_.mov(steps_left_.cvt32(), static_cast<uint32_t>(rounds));
  assembler_.L(next);
  steps(round, a_step_, b_step_);
  add_bytes(a_step_, round * spec_.a_k * bytes_);
  add_bytes(b_step_, round * b_row_);
  assembler_.dec(steps_left_.cvt32());
  assembler_.jnz(next);
  steps(spec_.k % round, a_step_, b_step_);
}

// The epilogue's operands at the first row of the tile: in registers while they last, the others
// in the frame.
std::vector<OperandPlace> MatmulGenerator::point_at_tile(const ColumnPanel& panel) {
  const size_t in_registers = epilogue_.operand_count() <= pointers_.size()
                                  ? epilogue_.operand_count()
                                  : pointers_.size() - 1;
  std::vector<OperandPlace> places;
  for (size_t i = 0; i < epilogue_.operand_count(); ++i) {
    const TileStrides& strides = epilogue_.strides(i);
    const bool spilled = i >= in_registers;
    const Reg64& pointer = spilled ? pointers_.back() : pointers_[i];
    assembler_.mov(pointer, assembler_.ptr[operands_ + 8 * (2 + static_cast<int>(i))]);
    if (spec_.batch > 1) add_product(pointer, batch_, strides[0] * bytes_);
    if (moves_rows()) add_product(pointer, row_, strides[1] * bytes_);
    if (panel.repeats > 1 && strides[2] != 0) assembler_.add(pointer, column_);
    if (!spilled) {
      places.push_back({.address = Xbyak::RegExp(pointer)});
      continue;
    }
    const size_t slot = i - in_registers;
    if (slot == pointer_slots_.size()) pointer_slots_.push_back(assembler_.frame_slot(8));
    assembler_.mov(assembler_.ptr[pointer_slots_[slot]], pointer);
    places.push_back(
        {.address = Xbyak::RegExp(rax), .loads_base = true, .base = pointer_slots_[slot]});
  }
  return places;
}

void MatmulGenerator::emit_epilogue(const Tile& tile, const ColumnPanel& panel) {
  const std::vector<OperandPlace> places = point_at_tile(panel);
  const auto place = [&](size_t operand, int row) {
    const TileStrides& strides = epilogue_.strides(operand);
    const int64_t column = panel.repeats > 1 ? 0 : panel.first_column * strides[2];
    OperandPlace at = places[operand];
    at.address = at.address + static_cast<size_t>((row * strides[1] + column) * bytes_);
    return at;
  };
  const auto advance = [&] {
    for (size_t i = 0; i < places.size(); ++i) {
      const int64_t stride = epilogue_.strides(i)[1] * bytes_;
      if (!places[i].loads_base) {
        add_bytes(pointers_[i], stride);
      } else if (stride != 0) {
        assembler_.mov(rax, stride);
        assembler_.CodeGenerator::add(assembler_.qword[places[i].base], rax);
      }
    }
  };
  epilogue_.emit(tile, {.place = place, .begin_row = [](int) {}, .advance = advance});
}

}  // namespace outerloop::exec
