#pragma once
// Where the values of a body are while it is emitted: linear scan over vector registers, evicting
// the value whose next use is farthest away.

#include <optional>
#include <span>
#include <vector>

#include "exec/cpu/body_emitter.h"

namespace outerloop::exec {

class BodyRegisters {
 public:
  // `uses[v]`: positions at which value v is read, rising, outputs included.
  BodyRegisters(Assembler& assembler, const ScalarBody& body, std::vector<std::vector<int>> uses,
                std::span<const BodySource> sources, std::span<const int> free, const Lanes& lanes,
                std::vector<Xbyak::RegExp>& spill_slots);

  Vector vec(int reg) const { return assembler_.vec(reg, lanes_.bits); }

  bool in_register(int value) const { return state(value).reg >= 0; }
  bool is_zero(int value) const;  // the constant +0
  // Whether operand() would give memory.
  bool stays_in_memory(int value) const;
  // In a register that may be overwritten, and read by no one after the current instruction (which
  // reads it `times` times).
  bool dies(int value, int times) const;

  // The value in a register, loading it if needed. Held until the instruction ends.
  Vector to_register(int value);
  // The value as the last operand of an instruction. Call after all other preparations: it may
  // load the address into rax.
  struct Operand {
    explicit Operand(const Xbyak::Address& address) : memory(address) {}
    explicit Operand(const Vector& vector) : reg(vector) {}
    std::optional<Xbyak::Address> memory;
    Vector reg;
    operator const Xbyak::Operand&() const {
      return memory ? static_cast<const Xbyak::Operand&>(*memory) : reg;
    }
  };
  Operand operand(int value);

  // Writes the value to a register that it does not come to live in.
  void copy_to(int value, int reg);

  // One read of the value is prepared; after the last one its register is free. From now on the
  // register may become that of the result, so the next instruction must be the one that reads.
  void consume(int value);
  // A free register, held until the instruction ends or release().
  int allocate();
  void release(int reg);
  // Makes `reg`, just allocated or just freed, the place of a value.
  void define(int value, int reg);
  void end_instruction();

  void store(int value, const BodySink& sink);
  // Outputs that are inputs in memory are read before any output is stored over them; from now on
  // they survive eviction.
  void read_inputs_before_stores(std::span<const int32_t> outputs);

 private:
  struct State {
    int reg = -1;
    int slot = -1;  // valid copy in the frame
    bool pinned = false;
    size_t reads = 0;  // done
  };
  const State& state(int value) const { return states_[static_cast<size_t>(value)]; }
  const ScalarInstruction& instruction(int value) const {
    return body_.instructions[static_cast<size_t>(value)];
  }
  const BodySource* memory_source(int value) const;
  int next_use(int value) const;
  int take_free();
  void evict(int reg);
  void load(int value, int reg);
  void load_strided(const BodySource& source, int reg);
  void move_element(const Xbyak::RegExp& to, const Xbyak::RegExp& from, int reg);
  int take_slot();
  Xbyak::RegExp slot_address(int slot);
  // rax gets the base of the place where there is one.
  template <class Place>
  void load_base(const Place& place) {
    if (place.loads_base) assembler_.mov(Xbyak::util::rax, assembler_.ptr[place.base]);
  }

  Assembler& assembler_;
  const ScalarBody& body_;
  std::vector<std::vector<int>> uses_;
  std::span<const BodySource> sources_;
  Lanes lanes_;
  std::vector<State> states_;
  std::vector<int> free_;
  bool stores_begin_ = false;
  std::vector<int> held_;   // registers of the current instruction
  std::vector<int> owner_;  // per register: the value in it, or -1
  std::vector<int> free_slots_;
  std::vector<int> left_slots_;  // free once the instruction ends
  std::vector<Xbyak::RegExp>& slots_;
};

}  // namespace outerloop::exec
