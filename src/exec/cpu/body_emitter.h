#pragma once
// Emits a ScalarBody as vector instructions on registers, one vector of elements per call. The
// values equal evaluate<T>() on each element (the payload of a NaN aside).
//
// Independent vectors are emitted one call after the other: the processor overlaps them, and each
// needs few registers.

#include <functional>
#include <span>
#include <vector>

#include "exec/cpu/jit.h"
#include "outerloop/ir/scalar.h"

namespace outerloop::exec {

// Where one input of the body lives. Memory is read at the first use, or as the operand of the
// only instruction that uses it.
struct BodySource {
  enum class Kind : uint8_t {
    reg,        // in vector register `reg`
    vector,     // contiguous elements at `address`
    broadcast,  // one element at `address`
    strided,    // elements `stride` bytes apart from `address` on; clobbers rax
  };
  Kind kind = Kind::reg;
  int reg = -1;
  bool consumed = false;  // reg: the emitter may overwrite it after its last use, or move it
  Xbyak::RegExp address;
  int64_t stride = 0;
  // Set where too few general registers are left: `address` is then relative to rax, which is
  // loaded from this place before each access.
  bool loads_base = false;
  Xbyak::RegExp base;

  static BodySource in_register(int reg, bool consumed) {
    return {.kind = Kind::reg, .reg = reg, .consumed = consumed};
  }
  static BodySource vector(const Xbyak::RegExp& address) {
    return {.kind = Kind::vector, .address = address};
  }
  static BodySource broadcast(const Xbyak::RegExp& address) {
    return {.kind = Kind::broadcast, .address = address};
  }
};

// Where one output goes: stored at `address` (contiguous, or `stride` bytes apart), or handed to
// `take` in a register of the width of the lanes. `take` may neither keep nor change the register.
// Outputs are passed on after the last input was read from memory, so that an output may be the
// memory of an input.
struct BodySink {
  Xbyak::RegExp address;
  int64_t stride = 0;  // bytes, 0: contiguous
  bool loads_base = false;
  Xbyak::RegExp base;
  std::function<void(Vector)> take;

  static BodySink store(const Xbyak::RegExp& address) { return {.address = address}; }
  static BodySink handler(std::function<void(Vector)> take) { return {.take = std::move(take)}; }
};

// When the values of a body are read, as the emitter orders its instructions.
struct BodyLiveness {
  explicit BodyLiveness(const ScalarBody& body);
  // Positions (instruction indices) that read each value, rising; a position that reads it twice
  // is there twice. Outputs are not among them.
  std::vector<std::vector<int>> uses;
  // Comparisons that are emitted at the selects that use them and never become a value.
  std::vector<bool> deferred;
};

class BodyEmitter {
 public:
  // `compare_mask`: the number of a k register that the emitter may overwrite (AVX-512).
  BodyEmitter(Assembler& assembler, const ScalarBody& body, int compare_mask);

  // Emits the body once. `free` are vector registers that may be overwritten; with the consumed
  // sources there must be at least kMinRegisters of them. Spills go to the assembler's frame.
  static constexpr int kMinRegisters = 4;
  void emit(std::span<const BodySource> sources, std::span<const BodySink> sinks,
            std::span<const int> free, const Lanes& lanes);

  // The most registers that values of the body need at one time when every input is in memory.
  int pressure() const;

 private:
  Assembler& assembler_;
  ScalarBody body_;
  BodyLiveness liveness_;
  int compare_mask_;
  std::vector<Xbyak::RegExp> spill_slots_;  // shared by all emissions
};

}  // namespace outerloop::exec
