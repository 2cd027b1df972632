#include "exec/cpu/matmul_tile.h"

namespace outerloop::exec {

Lanes Tile::lanes(int vector) const {
  return is_last(vector) ? shape_.last : assembler_.full();
}

int Tile::accumulator(int row, int vector) const {
  const auto& [rows, vectors, pairs_rows] = size();
  if (!pairs_rows) return row * vectors + vector;
  return is_last(vector) ? rows * (vectors - 1) + row / 2 : row * (vectors - 1) + vector;
}

Vector Tile::vector_register(int index, int vector) const {
  return assembler_.vec(index, lanes(vector).bits);
}

void Tile::clear() {
  for (int i = 0; i < size().accumulators(); ++i) assembler_.zero(assembler_.vec(i));
}

namespace {

bool is_active(uint32_t active, int row) {
  return row >= 32 || (active >> row & 1) != 0;
}

}  // namespace

void Tile::step(const Place& a, const Place& b, uint32_t active) {
  if (size().pairs_rows) {
    step_over_pairs(a, b);
  } else if (size().vectors <= size().rows) {
    step_over_rows(a, b, active);
  } else {
    step_over_vectors(a, b, active);
  }
}

// As step_over_rows(); half a vector of B fills a register twice, and meets an element of A for
// each half. 10x40x40 has 25 FMAs a step instead of 30.
void Tile::step_over_pairs(const Place& a, const Place& b) {
  const int last = size().vectors - 1;
  for (int v = 0; v < last; ++v) {
    assembler_.load_lanes(assembler_.vec(spare(v)), b(v), assembler_.full());
  }
  assembler_.load_half_twice(assembler_.vec(spare(last)), b(last));
  const int elements = spare(last + 1), pair = spare(last + 3);
  for (int row = 0; row < size().rows; ++row) {
    const Vector element = assembler_.vec(elements + row % 2);
    assembler_.load_broadcast(element, a(row));
    for (int v = 0; v < last; ++v) {
      assembler_.fma231(assembler_.vec(accumulator(row, v)), element, assembler_.vec(spare(v)));
    }
    const bool alone = row % 2 == 0 && row + 1 == size().rows;
    if (row % 2 == 0 && !alone) continue;
    if (!alone) {
      assembler_.blend(assembler_.vec(pair), assembler_.vec(elements), element, shape_.pair_mask);
    }
    assembler_.fma231(assembler_.vec(accumulator(row, last)),
                      alone ? element : assembler_.vec(pair), assembler_.vec(spare(last)));
  }
}

// The vectors of B stay in registers, the elements of A pass by.
void Tile::step_over_rows(const Place& a, const Place& b, uint32_t active) {
  for (int v = 0; v < size().vectors; ++v) {
    assembler_.load_lanes(vector_register(spare(v), v), b(v), lanes(v));
  }
  // For a single vector the broadcast is free as part of the FMA; for more it would be repeated.
  const bool embedded = size().vectors == 1 && assembler_.is_avx512();
  const int element = spare(size().vectors);
  for (int row = 0; row < size().rows; ++row) {
    if (!is_active(active, row)) continue;
    if (embedded) {
      assembler_.fma231(vector_register(accumulator(row, 0), 0), vector_register(spare(0), 0),
                        assembler_.ptr_b[a(row)]);
      continue;
    }
    assembler_.load_broadcast(vector_register(element, 0), a(row));
    for (int v = 0; v < size().vectors; ++v) {
      assembler_.fma231(vector_register(accumulator(row, v), v), vector_register(element, v),
                        vector_register(spare(v), v));
    }
  }
}

// The elements of A stay in registers, the vectors of B pass by.
void Tile::step_over_vectors(const Place& a, const Place& b, uint32_t active) {
  for (int row = 0; row < size().rows; ++row) {
    if (is_active(active, row)) assembler_.load_broadcast(assembler_.vec(spare(row)), a(row));
  }
  const int passing = spare(size().rows);
  for (int v = 0; v < size().vectors; ++v) {
    if (size().rows == 1 && !lanes(v).partial) {
      assembler_.fma231(vector_register(accumulator(0, v), v), vector_register(spare(0), v),
                        assembler_.ptr[b(v)]);
      continue;
    }
    assembler_.load_lanes(vector_register(passing, v), b(v), lanes(v));
    for (int row = 0; row < size().rows; ++row) {
      if (!is_active(active, row)) continue;
      assembler_.fma231(vector_register(accumulator(row, v), v), vector_register(spare(row), v),
                        vector_register(passing, v));
    }
  }
}

const TileStrides& TileEpilogue::strides(size_t operand) const {
  const size_t inputs = epilogue_.inputs.size();
  return operand < inputs ? epilogue_.inputs[operand] : epilogue_.outputs[operand - inputs];
}

void TileEpilogue::emit(const Tile& tile, const RowWalk& walk) {
  // Straight code overlaps best with the next tile; a long body would make too much of it.
  constexpr size_t kStraightInstructions = 512;
  const auto vectors = static_cast<size_t>(tile.size().rows * tile.size().vectors);
  epilogue_.body.instructions.size() * vectors <= kStraightInstructions ? emit_straight(tile, walk)
                                                                        : emit_loop(tile, walk);
}

// Accumulators stay in their registers, which become free one by one.
void TileEpilogue::emit_straight(const Tile& tile, const RowWalk& walk) {
  const TileSize& size = tile.size();
  std::vector<int> free;
  for (int i = size.accumulators(); i < assembler_.register_count(); ++i) free.push_back(i);
  int upper_half = -1;  // of the pair of rows under way
  for (int row = 0; row < size.rows; ++row) {
    walk.begin_row(row);
    if (size.pairs_rows && row % 2 == 0 && row + 1 < size.rows) {
      upper_half = free.back();
      free.pop_back();
      assembler_.extract_upper_half(upper_half,
                                    assembler_.vec(tile.accumulator(row, size.vectors - 1)));
    }
    for (int v = 0; v < size.vectors; ++v) {
      const int accumulator = tile.in_upper_half(row, v) ? upper_half : tile.accumulator(row, v);
      emit_vector(tile, row, v, BodySource::in_register(accumulator, /*consumed=*/true), walk,
                  free);
      free.push_back(accumulator);
    }
  }
}

// In the frame each row has all its vectors.
void TileEpilogue::save_accumulators(const Tile& tile) {
  const TileSize& size = tile.size();
  const int bytes = assembler_.vector_bytes();
  if (!frame_) {
    frame_ = {assembler_.frame_slot(2 * assembler_.register_count() * bytes),
              assembler_.frame_slot(8), assembler_.frame_slot(8)};
  }
  for (int row = 0; row < size.rows; ++row) {
    for (int v = 0; v < size.vectors; ++v) {
      const Xbyak::RegExp place = frame_->accumulators + (row * size.vectors + v) * bytes;
      const Vector accumulator = assembler_.vec(tile.accumulator(row, v));
      if (tile.in_upper_half(row, v)) {
        assembler_.store_upper_half(place, accumulator);
      } else {
        assembler_.vmovups(assembler_.ptr[place], accumulator);
      }
    }
  }
}

// Accumulators go through the frame, and one loop over rows handles them.
void TileEpilogue::emit_loop(const Tile& tile, const RowWalk& walk) {
  const TileSize& size = tile.size();
  const int bytes = assembler_.vector_bytes();
  save_accumulators(tile);
  std::vector<int> free;
  for (int i = 0; i < assembler_.register_count(); ++i) free.push_back(i);
  Xbyak::Label next;
  assembler_.lea(Xbyak::util::rax, assembler_.ptr[frame_->accumulators]);
  assembler_.mov(assembler_.ptr[frame_->current], Xbyak::util::rax);
  assembler_.mov(assembler_.qword[frame_->rows_left], static_cast<uint32_t>(size.rows));
  assembler_.L(next);
  walk.begin_row(0);
  for (int v = 0; v < size.vectors; ++v) {
    emit_vector(tile, 0, v,
                {.kind = BodySource::Kind::vector,
                 .address = Xbyak::util::rax + v * bytes,
                 .loads_base = true,
                 .base = frame_->current},
                walk, free);
  }
  walk.advance();
  assembler_.CodeGenerator::add(assembler_.qword[frame_->current],
                                static_cast<uint32_t>(size.vectors * bytes));
  assembler_.dec(assembler_.qword[frame_->rows_left]);
  assembler_.jnz(next, Xbyak::CodeGenerator::T_NEAR);
}

void TileEpilogue::emit_vector(const Tile& tile, int row, int vector, const BodySource& accumulator,
                               const RowWalk& walk, const std::vector<int>& free) {
  const auto shifted = [&](const OperandPlace& at, size_t operand) {
    return strides(operand)[2] == 0 ? at.address : at.address + vector * assembler_.vector_bytes();
  };
  std::vector<BodySource> sources{accumulator};
  for (size_t i = 0; i < epilogue_.inputs.size(); ++i) {
    const OperandPlace at = walk.place(i, row);
    sources.push_back({.kind = epilogue_.inputs[i][2] == 0 ? BodySource::Kind::broadcast
                                                           : BodySource::Kind::vector,
                       .address = shifted(at, i),
                       .loads_base = at.loads_base,
                       .base = at.base});
  }
  std::vector<BodySink> sinks;
  for (size_t i = 0; i < epilogue_.outputs.size(); ++i) {
    const size_t operand = epilogue_.inputs.size() + i;
    const OperandPlace at = walk.place(operand, row);
    sinks.push_back(
        {.address = shifted(at, operand), .loads_base = at.loads_base, .base = at.base});
  }
  body_.emit(sources, sinks, free, tile.lanes(vector));
}

}  // namespace outerloop::exec
