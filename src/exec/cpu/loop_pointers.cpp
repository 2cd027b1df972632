#include "exec/cpu/loop_pointers.h"

#include <algorithm>
#include <array>
#include <utility>

namespace outerloop::exec {
namespace {

using Xbyak::Operand;
using Xbyak::Reg64;

// In the order of use; rax is scratch, rbp and rsp hold the frame. rsi, the array of pointers, is
// the last of those that need no saving. From the ninth on: the order in which enter() saves.
constexpr std::array kRegisters{Operand::RCX, Operand::RDX, Operand::R8,  Operand::R9,
                                Operand::R10, Operand::R11, Operand::RDI, Operand::RSI,
                                Operand::RBX, Operand::R12, Operand::R13, Operand::R14,
                                Operand::R15};
constexpr size_t kUnsaved = 8;
constexpr size_t kMostPositions = 6;

}  // namespace

LoopPointers::LoopPointers(Assembler& assembler, std::vector<int64_t> strides, bool loops)
    : assembler_(assembler), loops_(loops), pointers_(strides.size()) {
  if (loops_) {
    counter_ = take().getIdx();
    for (size_t i = 0; i < strides.size(); ++i) {
      if (strides[i] == 0) continue;
      const auto same = std::ranges::find(positions_, strides[i], &Position::stride);
      pointers_[i].position = static_cast<int>(same - positions_.begin());
      if (same != positions_.end()) continue;
      if (positions_.size() == kMostPositions) {
        fits_ = false;
        return;
      }
      positions_.push_back({strides[i], take().getIdx()});
    }
  }
  for (Pointer& pointer : pointers_) {
    if (taken_ < kRegisters.size()) pointer.reg = take().getIdx();
  }
}

Reg64 LoopPointers::take() {
  return Reg64(kRegisters[taken_++]);
}

int LoopPointers::saved_registers() const {
  return taken_ > kUnsaved ? static_cast<int>(taken_ - kUnsaved) : 0;
}

void LoopPointers::load() {
  using Xbyak::util::rax, Xbyak::util::rsi;
  int last = -1;
  for (size_t i = 0; i < pointers_.size(); ++i) {
    Pointer& pointer = pointers_[i];
    const auto from = assembler_.ptr[rsi + i * sizeof(void*)];
    if (pointer.reg == Operand::RSI) {
      last = static_cast<int>(i);
    } else if (pointer.reg >= 0) {
      assembler_.mov(Reg64(pointer.reg), from);
    } else {
      pointer.slot = assembler_.frame_slot(8);
      assembler_.mov(rax, from);
      assembler_.mov(assembler_.ptr[pointer.slot], rax);
    }
  }
  if (last >= 0) assembler_.mov(rsi, assembler_.ptr[rsi + static_cast<size_t>(last) * 8]);
}

void LoopPointers::advance(std::span<const int64_t> bytes) {
  using Xbyak::util::rax;
  for (size_t i = 0; i < pointers_.size(); ++i) {
    if (bytes[i] == 0) continue;
    const bool short_step = std::in_range<int32_t>(bytes[i]);
    if (!short_step) assembler_.mov(rax, static_cast<uint64_t>(bytes[i]));
    const auto add = [&](const Operand& pointer) {
      short_step ? assembler_.add(pointer, static_cast<uint32_t>(bytes[i]))
                 : assembler_.add(pointer, rax);
    };
    pointers_[i].reg >= 0 ? add(Reg64(pointers_[i].reg)) : add(assembler_.qword[pointers_[i].slot]);
  }
}

void LoopPointers::start_inner(int64_t iterations) {
  for (const Position& position : positions_) {
    assembler_.xor_(Xbyak::Reg32(position.reg), Xbyak::Reg32(position.reg));
  }
  assembler_.mov(Xbyak::Reg32(counter_), static_cast<uint32_t>(iterations));
}

void LoopPointers::next_inner(int64_t steps, Xbyak::Label& top) {
  for (const Position& position : positions_) {
    assembler_.add(Reg64(position.reg), static_cast<uint32_t>(position.stride * steps));
  }
  assembler_.sub(Reg64(counter_), 1);
  assembler_.jnz(top, Xbyak::CodeGenerator::T_NEAR);
}

Xbyak::RegExp LoopPointers::address(const Pointer& pointer, int64_t bytes) const {
  Xbyak::RegExp result = pointer.reg >= 0 ? Reg64(pointer.reg) : Xbyak::util::rax;
  if (following_ && pointer.position >= 0) {
    result = result + Reg64(positions_[static_cast<size_t>(pointer.position)].reg);
  }
  return result + static_cast<size_t>(bytes);
}

}  // namespace outerloop::exec
