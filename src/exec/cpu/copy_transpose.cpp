#include "exec/cpu/copy_transpose.h"

#include <algorithm>
#include <array>
#include <limits>

#include "exec/cpu/body_emitter.h"
#include "exec/cpu/loop_pointers.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr int kColumnMask = 1;  // governs loads of partial tiles
constexpr int kRowMask = 2;     // governs stores

// A tile is turned in two stages. First inside 128-bit pieces: the rows of a group (4 of float, 2
// of double) become registers c = 0 … whose piece L holds column L * group + c of the group. Then
// the pieces of all groups are exchanged: output L * group + c has piece L of register c of each
// group in order.
class TransposeGenerator {
 public:
  TransposeGenerator(const TransposeNest& nest, Isa isa)
      : nest_(nest),
        as_(isa, nest.dtype),
        pointers_(as_, {0, 0}, false),
        tile_(as_.vector_lanes()),
        group_(16 / as_.element_bytes()) {}

  Kernel generate();

 private:
  bool fits() const;
  void emit_outer(size_t axis);
  void emit_tile(int rows, int columns);
  void load_rows(int rows, const Lanes& lanes);
  void turn_groups(int groups, int bits);
  std::vector<int> exchange(int c, int groups, int pieces);
  std::vector<int> exchange_four(std::array<int, 4> from, int pieces);
  std::vector<int> exchange_two(int a, int b, int pieces);
  std::vector<int> split(int a, int pieces);
  // Runs `tile` over `extent` in whole tiles and a rest, then takes the pointers back.
  template <class Tile>
  void over(int64_t extent, std::array<int64_t, 2> steps, Tile&& tile);

  Vector vec(int index, int bits) const { return as_.vec(index, bits); }
  // A tile lies in the first half of the registers, the second is scratch; for double the other way
  // round once its groups are turned.
  int turned(int index) const { return as_.is_f32() ? index : tile_ + index; }
  int scratch(int index) const { return as_.is_f32() ? tile_ + index : index; }
  void join(int target, int a, int b);
  void shuffle(int target, int a, int b, int selection);

  TransposeNest nest_;
  Assembler as_;
  LoopPointers pointers_;
  int tile_;
  int group_;
};

bool TransposeGenerator::fits() const {
  constexpr int64_t kLimit = std::numeric_limits<int32_t>::max() / 64;
  return std::abs(nest_.source_row) < kLimit && std::abs(nest_.target_column) < kLimit;
}

void TransposeGenerator::load_rows(int rows, const Lanes& lanes) {
  for (int row = 0; row < rows; ++row) {
    BodySource place;
    pointers_.locate(place, 0, row * nest_.source_row);
    as_.load_lanes(vec(row, lanes.bits), place.address, lanes);
  }
}

void TransposeGenerator::turn_groups(int groups, int bits) {
  for (int g = 0; g < groups; ++g) {
    const int r = g * group_;
    const auto low = [&](int i) { return vec(r + i, bits); };
    const auto high = [&](int i) { return vec(tile_ + r + i, bits); };
    if (!as_.is_f32()) {
      as_.vunpcklpd(high(0), low(0), low(1));
      as_.vunpckhpd(high(1), low(0), low(1));
      continue;
    }
    as_.vunpcklps(high(0), low(0), low(1));
    as_.vunpckhps(high(1), low(0), low(1));
    as_.vunpcklps(high(2), low(2), low(3));
    as_.vunpckhps(high(3), low(2), low(3));
    as_.vunpcklpd(low(0), high(0), high(2));
    as_.vunpckhpd(low(1), high(0), high(2));
    as_.vunpcklpd(low(2), high(1), high(3));
    as_.vunpckhpd(low(3), high(1), high(3));
  }
}

// The 128-bit pieces (a, b) side by side.
void TransposeGenerator::join(int target, int a, int b) {
  if (as_.is_avx512()) {
    as_.vinsertf32x4(Xbyak::Ymm(target), Xbyak::Ymm(a), Xbyak::Xmm(b), 1);
  } else {
    as_.vinsertf128(Xbyak::Ymm(target), Xbyak::Ymm(a), Xbyak::Xmm(b), 1);
  }
}

// Four pieces, two of a and two of b.
void TransposeGenerator::shuffle(int target, int a, int b, int selection) {
  as_.vshuff32x4(Xbyak::Zmm(target), Xbyak::Zmm(a), Xbyak::Zmm(b), static_cast<uint8_t>(selection));
}

std::vector<int> TransposeGenerator::exchange_four(std::array<int, 4> from, int pieces) {
  const auto [a, b, c, d] = from;
  const auto s = [&](int i) { return scratch(i); };
  if (pieces == 1) {
    join(s(0), a, b);
    join(s(1), c, d);
    as_.vinsertf64x4(Xbyak::Zmm(s(2)), Xbyak::Zmm(s(0)), Xbyak::Ymm(s(1)), 1);
    return {s(2)};
  }
  if (pieces == 2) {
    as_.vinsertf64x4(Xbyak::Zmm(s(0)), Xbyak::Zmm(a), Xbyak::Ymm(b), 1);
    as_.vinsertf64x4(Xbyak::Zmm(s(1)), Xbyak::Zmm(c), Xbyak::Ymm(d), 1);
    shuffle(s(2), s(0), s(1), 0x88);
    shuffle(s(3), s(0), s(1), 0xdd);
    return {s(2), s(3)};
  }
  shuffle(s(0), a, b, 0x44);
  shuffle(s(1), c, d, 0x44);
  shuffle(s(2), a, b, 0xee);
  shuffle(s(3), c, d, 0xee);
  shuffle(s(4), s(0), s(1), 0x88);
  shuffle(s(5), s(0), s(1), 0xdd);
  shuffle(s(6), s(2), s(3), 0x88);
  shuffle(s(7), s(2), s(3), 0xdd);
  return {s(4), s(5), s(6), s(7)};
}

std::vector<int> TransposeGenerator::exchange_two(int a, int b, int pieces) {
  const auto s = [&](int i) { return scratch(i); };
  if (pieces <= 2) {
    join(s(0), a, b);
    if (pieces == 1) return {s(0)};
    if (as_.is_avx512()) {
      as_.vshuff32x4(Xbyak::Ymm(s(1)), Xbyak::Ymm(a), Xbyak::Ymm(b), 3);
    } else {
      as_.vperm2f128(Xbyak::Ymm(s(1)), Xbyak::Ymm(a), Xbyak::Ymm(b), 0x31);
    }
    return {s(0), s(1)};
  }
  for (int half = 0; half < 2; ++half) {
    const int pair = s(2 * half);
    shuffle(pair, a, b, half == 0 ? 0x44 : 0xee);
    shuffle(pair, pair, pair, 0xd8);
    as_.vextractf64x4(Xbyak::Ymm(s(2 * half + 1)), Xbyak::Zmm(pair), 1);
  }
  return {s(0), s(1), s(2), s(3)};
}

std::vector<int> TransposeGenerator::split(int a, int pieces) {
  std::vector<int> result{a};
  for (int piece = 1; piece < pieces; ++piece) {
    const int target = scratch(piece);
    const auto number = static_cast<uint8_t>(piece);
    if (!as_.is_avx512()) {
      as_.vextractf128(Xbyak::Xmm(target), Xbyak::Ymm(a), number);
    } else if (pieces == 2) {
      as_.vextractf32x4(Xbyak::Xmm(target), Xbyak::Ymm(a), number);
    } else {
      as_.vextractf32x4(Xbyak::Xmm(target), Xbyak::Zmm(a), number);
    }
    result.push_back(target);
  }
  return result;
}

// The registers of outputs c, group + c, 2 * group + c, …
std::vector<int> TransposeGenerator::exchange(int c, int groups, int pieces) {
  const auto from = [&](int g) { return turned(std::min(g, groups - 1) * group_ + c); };
  if (groups == 1) return split(from(0), pieces);
  if (groups == 2) return exchange_two(from(0), from(1), pieces);
  return exchange_four({from(0), from(1), from(2), from(3)}, pieces);
}

void TransposeGenerator::emit_tile(int rows, int columns) {
  const Lanes loaded = as_.lanes(columns, kColumnMask);
  const Lanes stored = as_.lanes(rows, kRowMask);
  const int groups = (rows + group_ - 1) / group_;
  load_rows(rows, loaded);
  turn_groups(groups, loaded.bits);
  for (int c = 0; c < std::min(group_, columns); ++c) {
    const std::vector<int> outputs = exchange(c, groups, loaded.bits / 128);
    for (int piece = 0; piece * group_ + c < columns; ++piece) {
      BodySink place;
      pointers_.locate(place, 1, (piece * group_ + c) * nest_.target_column);
      const int source = outputs[static_cast<size_t>(piece)];
      as_.store_lanes(place.address, vec(source, stored.bits), stored, scratch(tile_ - 1));
    }
  }
}

template <class Tile>
void TransposeGenerator::over(int64_t extent, std::array<int64_t, 2> steps, Tile&& tile) {
  const int64_t whole = extent / tile_;
  const auto rest = static_cast<int>(extent % tile_);
  if (whole > 0) pointers_.repeat(whole, steps, [&] { tile(tile_); });
  if (whole == 1 && rest > 0) pointers_.advance(steps);
  if (rest > 0) tile(rest);
  if (whole > 1 || (whole == 1 && rest > 0)) {
    pointers_.advance(std::array{-steps[0] * whole, -steps[1] * whole});
  }
}

void TransposeGenerator::emit_outer(size_t axis) {
  const int64_t bytes = as_.element_bytes();
  if (axis == nest_.outer.size()) {
    return over(nest_.rows, {tile_ * nest_.source_row, tile_ * bytes}, [&](int rows) {
      over(nest_.columns, {tile_ * bytes, tile_ * nest_.target_column},
           [&](int columns) { emit_tile(rows, columns); });
    });
  }
  const std::array steps{nest_.outer_source[axis], nest_.outer_target[axis]};
  const int64_t extent = nest_.outer[axis];
  pointers_.repeat(extent, steps, [&] { emit_outer(axis + 1); });
  if (axis > 0 && extent > 1) pointers_.advance(std::array{-steps[0] * extent, -steps[1] * extent});
}

Kernel TransposeGenerator::generate() {
  if (!fits()) return {};
  as_.enter(pointers_.saved_registers());
  if (nest_.rows > 0 && nest_.columns > 0 && std::ranges::count(nest_.outer, 0) == 0) {
    pointers_.load();
    const auto set_mask = [&](int64_t extent, int mask) {
      if (extent % tile_ > 0) as_.set_mask(as_.lanes(static_cast<int>(extent % tile_), mask));
    };
    set_mask(nest_.columns, kColumnMask);
    set_mask(nest_.rows, kRowMask);
    emit_outer(0);
  }
  as_.leave();
  return as_.finish();
}

}  // namespace

Kernel make_transpose(const TransposeNest& nest, Isa isa) {
  return TransposeGenerator(nest, isa).generate();
}

}  // namespace outerloop::exec
