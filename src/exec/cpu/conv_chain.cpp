#include <cstddef>

#include "exec/cpu/conv_generator.h"

namespace outerloop::exec {

using namespace Xbyak::util;

void ConvGenerator::emit_chain(Tile& tile, const TileCode& code) {
  Xbyak::Label again;
  const bool repeated = plan().repeats.count > 1;
  if (repeated) {
    assembler_.mov(slot(repeats_left_), static_cast<uint32_t>(plan().repeats.count));
  }
  if (single_) {
    assembler_.mov(rounds_left_, slot(b_panel_));
    assembler_.L(again);
    emit_single_steps(tile);
  } else {
    if (repeated) {
      assembler_.mov(rcx, slot(b_panel_));
      assembler_.mov(slot(b_base_), rcx);
    }
    assembler_.L(again);
    emit_segments(tile, code);
  }
  if (repeated) emit_repeat(tile, again);
}

// Moves on to the next images and runs through the segments again while some are left.
void ConvGenerator::emit_repeat(const Tile& tile, Xbyak::Label& again) {
  for (int row = 0; row < tile.size().rows; ++row) {
    add_bytes(row_pointers_[static_cast<size_t>(row)], plan().repeats.a * bytes_);
  }
  if (single_) {
    add_bytes(rounds_left_, plan().repeats.b * bytes_);
  } else {
    add_bytes(slot(b_base_), plan().repeats.b * bytes_);
  }
  assembler_.mov(segment_, slot(first_segment_));
  assembler_.dec(slot(repeats_left_));
  assembler_.jnz(again);
}

// Every segment is one round: no inner loop, and the base of B stays in a register.
void ConvGenerator::emit_single_steps(Tile& tile) {
  const auto scale = static_cast<int>(bytes_);
  const Reg64& b_base = rounds_left_;
  Xbyak::Label next;
  assembler_.L(next);
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
  assembler_.add(segment_, static_cast<uint32_t>(sizeof(ConvSegment)));
  assembler_.cmp(segment_, slot(end_segment_));
  assembler_.jne(next);
}

void ConvGenerator::emit_segments(Tile& tile, const TileCode& code) {
  const auto scale = static_cast<int>(bytes_);
  Xbyak::Label next, done;
  std::vector<Xbyak::Label> variants(code.variants.size());
  assembler_.L(next);
  assembler_.movsxd(a_offset_, assembler_.dword[segment_ + offsetof(ConvSegment, a)]);
  assembler_.movsxd(b_step_, assembler_.dword[segment_ + offsetof(ConvSegment, b)]);
  assembler_.mov(rounds_left_.cvt32(), assembler_.dword[segment_ + offsetof(ConvSegment, rounds)]);
  assembler_.shl(a_offset_, bytes_ == 4 ? 2 : 3);
  assembler_.lea(b_step_, assembler_.ptr[b_step_ * scale]);
  assembler_.add(b_step_, slot(plan().repeats.count > 1 ? b_base_ : b_panel_));
  for (size_t v = 1; v < variants.size(); ++v) {
    assembler_.cmp(assembler_.dword[segment_ + offsetof(ConvSegment, variant)],
                   static_cast<uint32_t>(v));
    assembler_.je(variants[v]);
  }
  for (size_t v = 0; v < variants.size(); ++v) {
    assembler_.L(variants[v]);
    emit_rounds(tile, code.variants[v]);
    if (v + 1 < variants.size()) assembler_.jmp(done);
  }
  assembler_.L(done);
  assembler_.add(segment_, static_cast<uint32_t>(sizeof(ConvSegment)));
  assembler_.cmp(segment_, slot(end_segment_));
  assembler_.jne(next);
}

void ConvGenerator::emit_rounds(Tile& tile, uint32_t active) {
  Xbyak::Label next;
  assembler_.L(next);
  for (int64_t p = 0; p < plan().round; ++p) {
    tile.step(
        [&](int row) {
          return row_pointers_[static_cast<size_t>(row)] + a_offset_ +
                 static_cast<size_t>(p * plan().a_step * bytes_);
        },
        [&](int vector) {
          return b_step_ + static_cast<size_t>(p * plan().b_step * bytes_ +
                                               vector * assembler_.vector_bytes());
        },
        active);
  }
  add_bytes(a_offset_, plan().round * plan().a_step * bytes_);
  add_bytes(b_step_, plan().round * plan().b_step * bytes_);
  assembler_.dec(rounds_left_.cvt32());
  assembler_.jnz(next);
}

}  // namespace outerloop::exec
