// Matmul kernels: loops over batch, column panels and row tiles around one register tile, with all
// sizes and strides in the code.

#include <algorithm>
#include <array>
#include <cstdlib>

#include "exec/cpu/conv_narrow.h"
#include "exec/cpu/kernel.h"
#include "exec/cpu/matmul_oracle.h"
#include "exec/cpu/matmul_plan.h"
#include "exec/cpu/matmul_tile.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

using namespace Xbyak::util;

constexpr int kTailMask = 1;
constexpr int kCompareMask = 2;
constexpr int64_t kMaxDisplacement = int64_t{1} << 30;

class MatmulGenerator {
 public:
  // `first` is the operand that serves as A, the other one is B.
  MatmulGenerator(const MatmulSpec& spec, Isa isa, int first)
      : spec_(spec),
        a_operand_(first),
        assembler_(isa, spec.dtype),
        epilogue_(assembler_, spec_.epilogue, kCompareMask),
        bytes_(assembler_.element_bytes()) {}

  Kernel generate();

 private:
  // rdi, rcx, rdx, rbx, r13 are free in the chain; rax is scratch everywhere.
  const Xbyak::Reg64 operands_ = rsi;
  const Xbyak::Reg64 a_tile_ = r8;   // first row of the tile
  const Xbyak::Reg64 b_panel_ = r9;  // first column of the panel
  const Xbyak::Reg64 a_step_ = r10;
  const Xbyak::Reg64 b_step_ = r11;
  const Xbyak::Reg64 steps_left_ = rcx;
  const Xbyak::Reg64 row_ = r12;     // of the tile
  const Xbyak::Reg64 column_ = r14;  // of the panel, in bytes; only where panels repeat
  const Xbyak::Reg64 batch_ = r15;
  // The chain is over when an epilogue runs.
  const std::array<Xbyak::Reg64, 7> pointers_{rcx, rdx, rdi, r10, r11, rbx, r13};

  bool moves_rows() const { return spec_.m > 1; }
  void add_bytes(const Xbyak::Reg64& target, int64_t count);
  void add_product(const Xbyak::Reg64& target, const Xbyak::Reg64& index, int64_t count);
  void emit_batch();
  void emit_panel(const ColumnPanel& panel);
  void emit_tiles(const ColumnPanel& panel, const RowCut& cut, int64_t end_row);
  void emit_chain(Tile& tile);
  std::vector<OperandPlace> point_at_tile(const ColumnPanel& panel);
  void emit_epilogue(const Tile& tile, const ColumnPanel& panel);

  MatmulSpec spec_;
  int a_operand_;
  Assembler assembler_;
  TileEpilogue epilogue_;
  int64_t bytes_;
  std::vector<Xbyak::RegExp> pointer_slots_;
};

void MatmulGenerator::add_bytes(const Xbyak::Reg64& target, int64_t count) {
  if (count == 0) return;
  if (count == static_cast<int32_t>(count)) {
    assembler_.add(target, static_cast<int32_t>(count));
  } else {
    assembler_.mov(rax, count);
    assembler_.add(target, rax);
  }
}

// target += index * count
void MatmulGenerator::add_product(const Xbyak::Reg64& target, const Xbyak::Reg64& index,
                                  int64_t count) {
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
                          assembler_.register_count()};
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
  if (moves_rows()) assembler_.xor_(row_, row_);
  int64_t end_row = 0;
  for (const RowCut& cut : cut_rows(spec_.m, panel.largest_rows)) {
    end_row += cut.rows * cut.tiles;
    emit_tiles(panel, cut, end_row);
  }
}

void MatmulGenerator::emit_tiles(const ColumnPanel& panel, const RowCut& cut, int64_t end_row) {
  const int64_t left = panel.columns - (panel.vectors - 1) * int64_t{assembler_.vector_lanes()};
  Tile tile(assembler_, {.rows = cut.rows,
                         .vectors = panel.vectors,
                         .last = assembler_.lanes(static_cast<int>(left), kTailMask)});
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
  const int64_t fmas = tile.shape().rows * tile.shape().vectors;
  const int64_t per_round = std::clamp<int64_t>((kRound + fmas - 1) / fmas, 1, 8);
  const bool straight = spec_.k * fmas <= kStraight || spec_.k <= per_round;
  const int64_t round = straight ? spec_.k : per_round;
  const int64_t rounds = straight ? 1 : spec_.k / round;
  const auto steps = [&](int64_t count, const Xbyak::Reg64& a, const Xbyak::Reg64& b) {
    for (int64_t p = 0; p < count; ++p) {
      tile.step(
          [&](int row) {
            const int64_t offset = (row * spec_.a_row + p * spec_.a_k) * bytes_;
            OL_ASSERT(std::abs(offset) < kMaxDisplacement, "matmul: stride of A is too large");
            return a + static_cast<size_t>(offset);
          },
          [&](int vector) {
            const int64_t offset = p * spec_.b_k * bytes_ + vector * assembler_.vector_bytes();
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
  add_bytes(b_step_, round * spec_.b_k * bytes_);
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
    const Xbyak::Reg64& pointer = spilled ? pointers_.back() : pointers_[i];
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
  epilogue_.emit(
      tile,
      [&](size_t operand, int row) {
        const TileStrides& strides = epilogue_.strides(operand);
        const int64_t column = panel.repeats > 1 ? 0 : panel.first_column * strides[2];
        OperandPlace place = places[operand];
        place.address = place.address + static_cast<size_t>((row * strides[1] + column) * bytes_);
        return place;
      },
      [](int) {});
}

// A column of results whose A is stored by columns: its transpose is one row with unit strides.
bool is_better_transposed(const MatmulSpec& spec) {
  const auto fits = [&](const TileStrides& strides) { return strides[1] == 0 || strides[1] == 1; };
  return spec.n == 1 && spec.m > 1 && spec.a_row == 1 &&
         std::ranges::all_of(spec.epilogue.inputs, fits) &&
         std::ranges::all_of(spec.epilogue.outputs,
                             [](const TileStrides& strides) { return strides[1] == 1; });
}

MatmulSpec transposed(MatmulSpec spec) {
  std::swap(spec.m, spec.n);
  std::swap(spec.a_batch, spec.b_batch);
  std::swap(spec.a_k, spec.b_k);
  spec.a_row = 0;
  for (TileStrides& strides : spec.epilogue.inputs) strides = {strides[0], 0, strides[1]};
  for (TileStrides& strides : spec.epilogue.outputs) strides = {strides[0], 0, strides[1]};
  return spec;
}

// The product as a table of rows, for kernels whose lanes are rows.
ConvPlan row_table(const MatmulSpec& spec) {
  ConvPlan plan{.columns = spec.n, .b_step = spec.b_k, .unit = spec.k};
  ConvGroup& group = plan.groups.emplace_back();
  group.segments.push_back({.rounds = static_cast<int32_t>(spec.k)});
  for (int64_t i = 0; i < spec.m; ++i) {
    group.rows.push_back({static_cast<int32_t>(i * spec.a_row), static_cast<int32_t>(i)});
  }
  return plan;
}

bool has_row_table(const MatmulSpec& spec) {
  const auto fits = [](int64_t value) { return std::abs(value) < kMaxDisplacement; };
  return spec.batch == 1 && spec.a_k == 1 && spec.n <= 16 && fits(spec.m * spec.a_row) &&
         fits(spec.k * spec.b_k);
}

void check(const MatmulSpec& spec) {
  const auto small = [](int64_t extent) { return extent >= 0 && extent <= INT32_MAX; };
  OL_ASSERT(is_floating(spec.dtype), "matmul works on floating point numbers");
  OL_ASSERT(small(spec.batch) && small(spec.m) && small(spec.n) && small(spec.k),
            "matmul: an extent is out of range");
  check_epilogue(spec.epilogue);
}

}  // namespace

Kernel make_matmul(const MatmulSpec& spec, Isa isa) {
  check(spec);
  if (isa == Isa::scalar) return make_matmul_oracle(spec);
  if (is_better_transposed(spec)) return MatmulGenerator(transposed(spec), isa, 1).generate();
  if (has_row_table(spec)) {
    const ConvPlan plan = row_table(spec);
    if (is_narrow(plan, spec.dtype, isa)) {
      return make_narrow(plan, spec.dtype, spec.epilogue, isa);
    }
  }
  return MatmulGenerator(spec, isa, 0).generate();
}

}  // namespace outerloop::exec
