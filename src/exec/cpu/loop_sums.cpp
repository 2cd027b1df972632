#include "exec/cpu/loop_sums.h"

#include <limits>

namespace outerloop::exec {

void LoopSums::combine(Vector target, Vector a, const Xbyak::Operand& b) {
  maximum_ ? assembler_.max(target, a, b) : assembler_.add(target, a, b);
}

Xbyak::Address LoopSums::slot(int way, int vector) {
  while (slots_.size() < place(ways_, 0)) {
    slots_.push_back(assembler_.frame_slot(assembler_.vector_bytes()));
  }
  return assembler_.ptr[slots_[place(way, vector)]];
}

void LoopSums::start(int pass, int spare) {
  const double value = maximum_ ? -std::numeric_limits<double>::infinity() : 0.0;
  for (int reg : registers_) assembler_.load_constant(assembler_.vec(reg), value);
  if (!registers_.empty() || pass > 0) return;
  assembler_.load_constant(assembler_.vec(spare), value);
  for (int way = 0; way < ways_; ++way) {
    for (int vector = 0; vector < vectors_; ++vector) {
      assembler_.vmovaps(slot(way, vector), assembler_.vec(spare));
    }
  }
}

void LoopSums::finish(int pass) {
  if (!by_way()) return;
  for (int vector = 0; vector < vectors_; ++vector) {
    const int reg = registers_[static_cast<size_t>(vector)];
    assembler_.vmovaps(slot(pass, vector), assembler_.vec(reg));
  }
}

void LoopSums::add(int way, int vector, Vector value, const Lanes& lanes, bool partial, int spare) {
  const Vector changed = assembler_.vec(spare, lanes.bits);
  const unsigned first = (1u << lanes.count) - 1;
  const auto blend = [&](Vector target, Vector a, const Xbyak::Operand& b, unsigned from_b) {
    assembler_.is_f32() ? assembler_.vblendps(target, a, b, static_cast<uint8_t>(from_b))
                        : assembler_.vblendpd(target, a, b, static_cast<uint8_t>(from_b));
  };
  if (!registers_.empty()) {
    const size_t i = by_way() ? static_cast<size_t>(vector) : place(way, vector);
    const Vector sum = assembler_.vec(registers_[i], lanes.bits);
    if (!partial) {
      combine(sum, sum, value);
    } else if (assembler_.is_avx512()) {
      combine(sum | Xbyak::Opmask(lanes.mask), sum, value);
    } else {
      combine(changed, sum, value);
      blend(sum, sum, changed, first);
    }
    return;
  }
  const Xbyak::Address sum = slot(way, vector);
  assembler_.vmovaps(changed, sum);
  if (partial && assembler_.is_avx512()) {
    combine(changed | Xbyak::Opmask(lanes.mask), changed, value);
  } else {
    combine(changed, changed, value);
    if (partial) blend(changed, changed, sum, ~first & ((1u << assembler_.vector_lanes()) - 1));
  }
  assembler_.vmovaps(sum, changed);
}

Vector LoopSums::fold_ways(int vector, const Lanes& lanes, int spare) {
  for (int span = ways_ / 2; span > 0; span /= 2) {
    for (int way = 0; way < span; ++way) {
      if (in_registers()) {
        const Vector sum = assembler_.vec(registers_[place(way, vector)], lanes.bits);
        combine(sum, sum, assembler_.vec(registers_[place(way + span, vector)], lanes.bits));
      } else {
        const Vector sum = assembler_.vec(spare, lanes.bits);
        assembler_.vmovaps(sum, slot(way, vector));
        combine(sum, sum, slot(way + span, vector));
        assembler_.vmovaps(slot(way, vector), sum);
      }
    }
  }
  if (in_registers()) return assembler_.vec(registers_[place(0, vector)], lanes.bits);
  const Vector sum = assembler_.vec(spare, lanes.bits);
  assembler_.vmovaps(sum, slot(0, vector));
  return sum;
}

void LoopSums::fold_lanes(Vector sum, int spare) {
  const int index = sum.getIdx();
  const Xbyak::Ymm wide(index), wide_other(spare);
  const Xbyak::Xmm low(index), other(spare);
  if (assembler_.is_avx512()) {
    assembler_.vextractf64x4(wide_other, Xbyak::Zmm(index), 1);
    combine(wide, wide, wide_other);
    assembler_.vextractf32x4(other, wide, 1);
  } else {
    assembler_.vextractf128(other, wide, 1);
  }
  combine(low, low, other);
  assembler_.vmovhlps(other, low, low);
  combine(low, low, other);
  if (!assembler_.is_f32()) return;
  assembler_.vmovshdup(other, low);
  combine(low, low, other);
}

}  // namespace outerloop::exec
