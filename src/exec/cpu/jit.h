#pragma once
// The assembler under all generated kernels: vector width and element type behind one set of
// names, constants beside the code, a stack frame that grows on demand, and finished code in
// shared read-execute memory. Include in .cpp files and private headers only (Xbyak is heavy).

#include <xbyak/xbyak.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "exec/cpu/kernel.h"

namespace outerloop::exec {

// An xmm, ymm or zmm register: the kind travels in the value.
using Vector = Xbyak::Xmm;

// The part of a vector register that is worked on: `count` elements in a register of `bits` bits.
// On AVX-512 a partial vector is governed by the mask register k`mask`, which the caller has set
// (Assembler::set_mask) and keeps; elsewhere loads and stores are cut to `count` by themselves.
struct Lanes {
  int count = 0;
  int bits = 0;
  bool partial = false;
  int mask = 0;
};

class Assembler : public Xbyak::CodeGenerator {
 public:
  Assembler(Isa isa, DType dtype);

  Isa isa() const { return isa_; }
  DType dtype() const { return dtype_; }
  bool is_avx512() const { return isa_ == Isa::avx512; }
  bool is_f32() const { return dtype_ == DType::f32; }
  int element_bytes() const { return is_f32() ? 4 : 8; }
  int vector_bytes() const { return is_avx512() ? 64 : 32; }
  int vector_lanes() const { return vector_bytes() / element_bytes(); }
  int register_count() const { return is_avx512() ? 32 : 16; }

  // A whole vector.
  Lanes full() const { return {vector_lanes(), vector_bytes() * 8, false, 0}; }
  // The narrowest register for `count` elements (1 .. vector_lanes()).
  Lanes lanes(int count, int mask) const;
  // The first `count` elements of a whole vector register.
  Lanes wide_lanes(int count, int mask) const {
    return {count, vector_bytes() * 8, count < vector_lanes(), mask};
  }
  // Sets k`mask` to the first `lanes.count` lanes where `lanes` needs it. Clobbers eax.
  void set_mask(const Lanes& lanes);

  Vector vec(int index) const { return vec(index, vector_bytes() * 8); }
  Vector vec(int index, int bits) const;

  // Entry and exit of a kernel: pushes the first `saved` of rbx, r12, r13, r14, r15, and leaves
  // rsp aligned to 64 with a frame that grows with frame_slot(). rbp belongs to the frame.
  // Arguments arrive in rdi (state) and rsi (operands). leave() returns to the caller.
  void enter(int saved);
  void leave();
  // `bytes` (a power of two) of the frame for good, aligned to their size, at most to 64.
  Xbyak::RegExp frame_slot(int bytes);

  // The constant as last operand of a vector instruction: an embedded broadcast on AVX-512, a
  // whole vector in memory on AVX2. Values are rounded to the element type.
  Xbyak::Address constant(double value);
  // The same for bit patterns of the element's size.
  Xbyak::Address constant_bits(uint64_t bits);

  // Elements beyond `lanes.count` are read as zero and never stored. `spare` is a register that
  // store_lanes may overwrite (AVX2 partial vectors of more than half; may equal `source`).
  void load_lanes(Vector target, const Xbyak::RegExp& address, const Lanes& lanes);
  void load_broadcast(Vector target, const Xbyak::RegExp& address);
  // Halves of a vector of 512 bits: a half in memory to both; the upper one to the lower half of
  // another register, or to memory.
  void load_half_twice(Vector target, const Xbyak::RegExp& address);
  void extract_upper_half(int target, Vector source);
  void store_upper_half(const Xbyak::RegExp& address, Vector source);
  void set_upper_half_mask(int mask);  // clobbers eax
  // The lanes of `b` where k`mask` is set, else those of `a`.
  void blend(Vector target, Vector a, Vector b, int mask);
  void store_lanes(const Xbyak::RegExp& address, Vector source, const Lanes& lanes, int spare);
  // Whether store_lanes uses `spare`.
  bool store_needs_spare(const Lanes& lanes) const;
  void move(Vector target, Vector source);
  void load_constant(Vector target, double value);
  void load_constant_bits(Vector target, uint64_t bits);
  void zero(Vector target);
  // The bit pattern of a value of the element type.
  uint64_t pattern(double value) const;

  // Arithmetic by element type; the last operand may be memory.
  using CodeGenerator::add, CodeGenerator::sub, CodeGenerator::mul, CodeGenerator::div;
  void add(Vector target, Vector a, const Xbyak::Operand& b);
  void sub(Vector target, Vector a, const Xbyak::Operand& b);
  void mul(Vector target, Vector a, const Xbyak::Operand& b);
  void div(Vector target, Vector a, const Xbyak::Operand& b);
  void min(Vector target, Vector a, const Xbyak::Operand& b);
  void max(Vector target, Vector a, const Xbyak::Operand& b);
  void fma132(Vector target, Vector c, const Xbyak::Operand& b);  // target = target * b + c
  void fma213(Vector target, Vector b, const Xbyak::Operand& c);  // target = b * target + c
  void fma231(Vector target, Vector a, const Xbyak::Operand& b);  // target = a * b + target

  // Places the constants, installs the code and returns a kernel that keeps code and `state`
  // alive and passes `state` to it.
  Kernel finish(std::shared_ptr<const void> state = nullptr);

 private:
  // Aligned like the place where the code will run.
  struct alignas(64) CodeLine {
    uint8_t bytes[64];
  };
  Assembler(Isa isa, DType dtype, std::unique_ptr<CodeLine[]> buffer);
  enum class Pooled : uint8_t { element, vector, lane_mask };
  void broadcast_element(Vector target, const Xbyak::Address& element);
  Xbyak::RegRip pooled(Pooled kind, uint64_t content);
  void place_constants();

  Isa isa_;
  DType dtype_;
  std::unique_ptr<CodeLine[]> buffer_;
  std::map<std::pair<Pooled, uint64_t>, Xbyak::Label> constants_;
  int saved_ = 0;
  int frame_bytes_ = 0;
  size_t frame_patch_ = 0;
};

// Finished code in read-execute memory; the owner keeps it mapped.
struct InstalledCode {
  const void* entry = nullptr;
  std::shared_ptr<const void> owner;
};
InstalledCode install_code(const uint8_t* code, size_t bytes);

}  // namespace outerloop::exec
