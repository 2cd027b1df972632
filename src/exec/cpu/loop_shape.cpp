#include "exec/cpu/loop_shape.h"

#include <algorithm>

#include "exec/cpu/body_emitter.h"
#include "outerloop/tensor/ordered.h"

namespace outerloop::exec {
namespace {

constexpr int64_t kMostVectors = 4;
constexpr int64_t kLongestStraight = 96;    // instructions of a loop that is unrolled whole
constexpr int64_t kLongestIteration = 400;  // instructions of an unrolled iteration
constexpr int64_t kCacheLine = 64;
constexpr int64_t kInLevelOne = 16 << 10;  // bytes of one operand
constexpr int64_t kWidestBlocks = 4096;    // bytes of a row that is worth cutting into blocks

int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t operation_count(const ScalarBody& body) {
  return std::max<int64_t>(
      1, std::ranges::count_if(body.instructions, [](const ScalarInstruction& instruction) {
        return instruction.op != ScalarOp::input && instruction.op != ScalarOp::constant;
      }));
}

// Whether some operation is the same in all columns of a row but not in all rows.
bool computes_per_row(const LoopNest& nest) {
  LoopNest by_row = nest;
  by_row.rows_to_outer();
  const std::vector<Level> levels = levels_of(by_row, InnerAxis::columns);
  return std::ranges::any_of(invariant_results(by_row, levels), [&](int value) {
    return levels[static_cast<size_t>(value)] == Level::outer;
  });
}

// Whether something is the same in all rows of a column: a loop over rows keeps it in registers.
bool repeats_per_row(const LoopNest& nest) {
  return std::ranges::count(levels_of(nest, InnerAxis::rows), Level::column) > 0;
}

// Vectors per block, so that blocks are as equal as can be.
int block_of(int64_t vectors, int64_t most) {
  most = std::max<int64_t>(most, 1);
  return static_cast<int>(divide_up(vectors, divide_up(vectors, most)));
}

LoopShape shape_of_row_sums(const LoopNest& nest, int64_t vectors, const VectorFile& file) {
  const auto sums = std::ranges::count_if(
      nest.outputs, [](LoopOutputKind kind) { return kind != LoopOutputKind::store; });
  const int64_t registers = file.registers - BodyEmitter::kMinRegisters - 2;
  const int64_t longest =
      std::max<int64_t>(1, kLongestIteration / (operation_count(nest.body) * kRowWays));
  LoopShape shape{.inner = InnerAxis::rows, .ways = kRowWays, .length = nest.rows};
  shape.vectors = block_of(std::max<int64_t>(vectors, 1), std::min(kMostVectors, longest));
  // All ways of the block at once, in narrower blocks if need be. For inputs larger than the first
  // cache, reading whole rows is worth more: some of the sums may then live in the frame, and
  // blocks of less than a cache line are avoided by one pass per way, each over its own rows.
  const auto bytes = static_cast<int64_t>(size_of(nest.dtype));
  const bool large = nest.rows * nest.columns * bytes > kInLevelOne;
  const bool whole_lines = file.lanes * bytes >= kCacheLine;
  const int64_t at_once = large && whole_lines ? 2 * registers : registers;
  while (shape.vectors > 1 && sums * kRowWays * shape.vectors > at_once) {
    shape.vectors = block_of(vectors, shape.vectors - 1);
  }
  if (!large || vectors <= shape.vectors || shape.vectors * file.lanes * bytes >= kCacheLine) {
    shape.unroll = kRowWays;
    return shape;
  }
  shape.passes = kRowWays;
  shape.vectors = block_of(vectors, std::min({kMostVectors, longest, registers / sums}));
  shape.unroll = shape.vectors > 2 ? 1 : 2;
  return shape;
}

LoopShape shape_of_columns(const LoopNest& nest, int copies, const VectorFile& file) {
  LoopShape shape{.unroll = copies, .length = nest.columns / file.lanes};
  if (nest.reduction == Reduction::contiguous) {
    shape.ways = kContiguousWays / file.lanes;
    shape.unroll = shape.ways;
  }
  shape.tail_columns = static_cast<int>(nest.columns % file.lanes);
  return shape;
}

LoopShape cut(LoopNest& nest, const VectorFile& file) {
  const int64_t operations = operation_count(nest.body);
  const int copies = operations <= 16 ? 4 : operations <= 48 ? 2 : 1;
  const int64_t vectors = divide_up(nest.columns, file.lanes);
  if (nest.reduction == Reduction::rows) return shape_of_row_sums(nest, vectors, file);
  const int64_t row_bytes = nest.columns * static_cast<int64_t>(size_of(nest.dtype));
  const bool blocks =
      vectors <= kMostVectors || (row_bytes <= kWidestBlocks && repeats_per_row(nest));
  if (nest.reduction == Reduction::none && nest.rows > 1 && blocks && !computes_per_row(nest)) {
    LoopShape shape{.inner = InnerAxis::rows, .length = nest.rows};
    shape.vectors = block_of(std::max<int64_t>(vectors, 1), kMostVectors);
    shape.unroll = std::max(1, copies / shape.vectors);
    return shape;
  }
  if (nest.rows > 1) nest.rows_to_outer();
  return shape_of_columns(nest, copies, file);
}

}  // namespace

LoopShape choose_shape(LoopNest& nest, const VectorFile& file) {
  LoopShape shape = cut(nest, file);
  const int64_t instructions = (operation_count(nest.body) + 1) * shape.length * shape.vectors;
  shape.straight = instructions <= kLongestStraight || shape.steps(0) < 2 * shape.unroll;
  return shape;
}

}  // namespace outerloop::exec
