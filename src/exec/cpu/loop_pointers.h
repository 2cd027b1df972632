#pragma once
// The general registers of a generated loop: operand pointers, the positions of the inner loop and
// its counter. Operands share a position register where they advance by the same stride; pointers
// that find no register live in the frame.

#include <cstdint>
#include <span>
#include <vector>

#include "exec/cpu/body_emitter.h"

namespace outerloop::exec {

class LoopPointers {
 public:
  // `strides`: bytes that each operand advances per inner step. `loops`: whether there is an inner
  // loop at all.
  LoopPointers(Assembler& assembler, std::vector<int64_t> strides, bool loops);

  // Whether the positions find registers.
  bool fits() const { return fits_; }
  // For Assembler::enter.
  int saved_registers() const;
  // Reads the pointers from the array in rsi.
  void load();
  // Adds to each pointer.
  void advance(std::span<const int64_t> bytes);

  void start_inner(int64_t iterations);
  // Advances by `steps` and jumps to `top` until all iterations are done.
  void next_inner(int64_t steps, Xbyak::Label& top);
  // Whether addresses follow the inner position, from here on.
  void follow_inner(bool follow) { following_ = follow; }

  // Makes the place of an operand `bytes` after its pointer.
  template <class Place>
  void locate(Place& place, size_t operand, int64_t bytes) const {
    const Pointer& pointer = pointers_[operand];
    place.loads_base = pointer.reg < 0;
    place.base = pointer.slot;
    place.address = address(pointer, bytes);
  }

  // A loop around `body` with a counter in the frame; advances after each time. A single time is no
  // loop and does not advance.
  template <class Body>
  void repeat(int64_t times, std::span<const int64_t> strides, Body&& body);

 private:
  struct Pointer {
    int reg = -1;
    Xbyak::RegExp slot;
    int position = -1;  // index into positions_
  };
  struct Position {
    int64_t stride;
    int reg;
  };
  Xbyak::RegExp address(const Pointer& pointer, int64_t bytes) const;
  Xbyak::Reg64 take();

  Assembler& assembler_;
  bool loops_;
  bool fits_ = true;
  bool following_ = false;
  std::vector<Pointer> pointers_;
  std::vector<Position> positions_;
  int counter_ = -1;
  size_t taken_ = 0;
};

template <class Body>
void LoopPointers::repeat(int64_t times, std::span<const int64_t> strides, Body&& body) {
  if (times == 1) return body();
  const Xbyak::RegExp counter = assembler_.frame_slot(8);
  Xbyak::Label top;
  assembler_.mov(assembler_.qword[counter], static_cast<uint32_t>(times));
  assembler_.L(top);
  body();
  advance(strides);
  assembler_.sub(assembler_.qword[counter], 1);
  assembler_.jnz(top, Xbyak::CodeGenerator::T_NEAR);
}

}  // namespace outerloop::exec
