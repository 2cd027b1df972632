#include "exec/cpu/body_registers.h"

#include <algorithm>
#include <limits>

#include "outerloop/base/error.h"

namespace outerloop::exec {

BodyRegisters::BodyRegisters(Assembler& assembler, const ScalarBody& body,
                             std::vector<std::vector<int>> uses,
                             std::span<const BodySource> sources, std::span<const int> free,
                             const Lanes& lanes, std::vector<Xbyak::RegExp>& spill_slots)
    : assembler_(assembler),
      body_(body),
      uses_(std::move(uses)),
      sources_(sources),
      lanes_(lanes),
      states_(body.instructions.size()),
      free_(free.rbegin(), free.rend()),
      owner_(static_cast<size_t>(assembler.register_count()), -1),
      slots_(spill_slots) {
  for (size_t slot = slots_.size(); slot-- > 0;) free_slots_.push_back(static_cast<int>(slot));
  for (size_t v = 0; v < states_.size(); ++v) {
    if (body.instructions[v].op != ScalarOp::input) continue;
    const BodySource& source = sources[static_cast<size_t>(body.instructions[v].index)];
    if (source.kind != BodySource::Kind::reg) continue;
    states_[v].reg = source.reg;
    states_[v].pinned = !source.consumed;
    if (!source.consumed) continue;
    OL_ASSERT(owner_[static_cast<size_t>(source.reg)] < 0, "one value owns a consumed register");
    define(static_cast<int>(v), source.reg);
  }
  for (const BodySource& source : sources) {
    const bool unread = source.kind == BodySource::Kind::reg && source.consumed &&
                        owner_[static_cast<size_t>(source.reg)] < 0;
    if (unread && std::ranges::count(free_, source.reg) == 0) free_.push_back(source.reg);
  }
}

const BodySource* BodyRegisters::memory_source(int value) const {
  if (instruction(value).op != ScalarOp::input) return nullptr;
  const BodySource& source = sources_[static_cast<size_t>(instruction(value).index)];
  return source.kind == BodySource::Kind::reg ? nullptr : &source;
}

bool BodyRegisters::is_zero(int value) const {
  return instruction(value).op == ScalarOp::constant &&
         assembler_.pattern(instruction(value).value) == 0;
}

bool BodyRegisters::stays_in_memory(int value) const {
  if (in_register(value)) return false;
  if (instruction(value).op == ScalarOp::constant || state(value).slot >= 0) return true;
  const BodySource* source = memory_source(value);
  OL_ASSERT(source != nullptr, "a value is in a register, in a slot or in memory");
  if (uses_[static_cast<size_t>(value)].size() > 1) return false;
  if (source->kind == BodySource::Kind::vector) return !lanes_.partial;
  return source->kind == BodySource::Kind::broadcast && assembler_.is_avx512();
}

bool BodyRegisters::dies(int value, int times) const {
  const State& s = state(value);
  return s.reg >= 0 && !s.pinned &&
         s.reads + static_cast<size_t>(times) == uses_[static_cast<size_t>(value)].size();
}

int BodyRegisters::next_use(int value) const {
  const std::vector<int>& uses = uses_[static_cast<size_t>(value)];
  return uses[std::min(state(value).reads, uses.size() - 1)];
}

Vector BodyRegisters::to_register(int value) {
  if (!in_register(value)) {
    const int reg = allocate();
    load(value, reg);
    define(value, reg);
  }
  held_.push_back(state(value).reg);
  return vec(state(value).reg);
}

BodyRegisters::Operand BodyRegisters::operand(int value) {
  if (!stays_in_memory(value)) return Operand(to_register(value));
  if (instruction(value).op == ScalarOp::constant) {
    return Operand(assembler_.constant(instruction(value).value));
  }
  if (state(value).slot >= 0) return Operand(assembler_.ptr[slot_address(state(value).slot)]);
  const BodySource& source = *memory_source(value);
  load_base(source);
  const bool broadcast = source.kind == BodySource::Kind::broadcast;
  return Operand(broadcast ? assembler_.ptr_b[source.address] : assembler_.ptr[source.address]);
}

void BodyRegisters::copy_to(int value, int reg) {
  in_register(value) ? assembler_.move(vec(reg), vec(state(value).reg)) : load(value, reg);
}

void BodyRegisters::consume(int value) {
  State& s = states_[static_cast<size_t>(value)];
  std::erase(held_, s.reg);
  if (++s.reads < uses_[static_cast<size_t>(value)].size()) return;
  if (s.reg >= 0 && !s.pinned) {
    release(s.reg);
    s.reg = -1;
  }
  // The instruction still has to read the slot.
  if (s.slot >= 0) left_slots_.push_back(s.slot);
  s.slot = -1;
}

int BodyRegisters::allocate() {
  const int reg = take_free();
  held_.push_back(reg);
  return reg;
}

int BodyRegisters::take_free() {
  if (free_.empty()) {
    int victim = -1;
    int farthest = -1;
    for (size_t reg = 0; reg < owner_.size(); ++reg) {
      if (owner_[reg] < 0 || std::ranges::count(held_, static_cast<int>(reg)) > 0) continue;
      if (next_use(owner_[reg]) <= farthest) continue;
      farthest = next_use(owner_[reg]);
      victim = static_cast<int>(reg);
    }
    OL_ASSERT(victim >= 0, "the body needs more vector registers than it was given");
    evict(victim);
  }
  const int reg = free_.back();
  free_.pop_back();
  return reg;
}

void BodyRegisters::release(int reg) {
  std::erase(held_, reg);
  owner_[static_cast<size_t>(reg)] = -1;
  free_.push_back(reg);
}

void BodyRegisters::define(int value, int reg) {
  std::erase(free_, reg);
  owner_[static_cast<size_t>(reg)] = value;
  states_[static_cast<size_t>(value)].reg = reg;
  if (uses_[static_cast<size_t>(value)].empty()) release(reg);
}

void BodyRegisters::end_instruction() {
  held_.clear();
  free_slots_.insert(free_slots_.end(), left_slots_.begin(), left_slots_.end());
  left_slots_.clear();
}

// Inputs in memory and constants are read again from where they came: outputs are stored only
// after the last read of an input.
void BodyRegisters::evict(int reg) {
  const int value = owner_[static_cast<size_t>(reg)];
  State& s = states_[static_cast<size_t>(value)];
  const bool again = instruction(value).op == ScalarOp::constant ||
                     (memory_source(value) != nullptr && !stores_begin_);
  if (!again && s.slot < 0) {
    s.slot = take_slot();
    assembler_.vmovaps(assembler_.ptr[slot_address(s.slot)], vec(reg));
  }
  s.reg = -1;
  release(reg);
}

int BodyRegisters::take_slot() {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<int>(slots_.size()));
    slots_.push_back(assembler_.frame_slot(assembler_.vector_bytes()));
  }
  const int slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

Xbyak::RegExp BodyRegisters::slot_address(int slot) {
  return slots_[static_cast<size_t>(slot)];
}

void BodyRegisters::move_element(const Xbyak::RegExp& to, const Xbyak::RegExp& from, int reg) {
  const Vector low = assembler_.vec(reg, 128);
  if (assembler_.is_f32()) {
    assembler_.vmovss(low, assembler_.ptr[from]);
    assembler_.vmovss(assembler_.ptr[to], low);
  } else {
    assembler_.vmovsd(low, assembler_.ptr[from]);
    assembler_.vmovsd(assembler_.ptr[to], low);
  }
}

void BodyRegisters::load(int value, int reg) {
  if (instruction(value).op == ScalarOp::constant) {
    assembler_.load_constant(vec(reg), instruction(value).value);
    return;
  }
  if (state(value).slot >= 0) {
    assembler_.vmovaps(vec(reg), assembler_.ptr[slot_address(state(value).slot)]);
    return;
  }
  const BodySource* source = memory_source(value);
  OL_ASSERT(source != nullptr, "a value is in a register, in a slot or in memory");
  load_base(*source);
  switch (source->kind) {
    case BodySource::Kind::vector:
      assembler_.load_lanes(vec(reg), source->address, lanes_);
      return;
    case BodySource::Kind::broadcast:
      assembler_.load_broadcast(vec(reg), source->address);
      return;
    case BodySource::Kind::strided:
      load_strided(*source, reg);
      return;
    case BodySource::Kind::reg:
      break;
  }
}

// Element by element through the frame.
void BodyRegisters::load_strided(const BodySource& source, int reg) {
  const int slot = take_slot();
  for (int lane = 0; lane < lanes_.count; ++lane) {
    move_element(slot_address(slot) + static_cast<size_t>(lane * assembler_.element_bytes()),
                 source.address + static_cast<size_t>(lane * source.stride), reg);
  }
  assembler_.load_lanes(vec(reg), slot_address(slot), lanes_);
  free_slots_.push_back(slot);
}

void BodyRegisters::read_inputs_before_stores(std::span<const int32_t> outputs) {
  stores_begin_ = true;
  for (int32_t value : outputs) {
    const bool done = state(value).reads == uses_[static_cast<size_t>(value)].size();
    if (done || memory_source(value) == nullptr || state(value).slot >= 0) continue;
    to_register(value);
    end_instruction();
  }
}

void BodyRegisters::store(int value, const BodySink& sink) {
  const Vector source = to_register(value);
  if (sink.stride == 0) {
    const int spare = assembler_.store_needs_spare(lanes_) ? allocate() : -1;
    load_base(sink);
    assembler_.store_lanes(sink.address, source, lanes_, spare);
    if (spare >= 0) release(spare);
    return;
  }
  const int slot = take_slot();
  const int spare = allocate();
  assembler_.vmovaps(assembler_.ptr[slot_address(slot)], source);
  load_base(sink);
  for (int lane = 0; lane < lanes_.count; ++lane) {
    move_element(sink.address + static_cast<size_t>(lane * sink.stride),
                 slot_address(slot) + static_cast<size_t>(lane * assembler_.element_bytes()),
                 spare);
  }
  release(spare);
  free_slots_.push_back(slot);
}

}  // namespace outerloop::exec
