#include "exec/cpu/matmul_tile.h"

namespace outerloop::exec {

Lanes Tile::lanes(int vector) const {
  return vector + 1 == shape_.vectors ? shape_.last : assembler_.full();
}

Vector Tile::vector_register(int index, int vector) const {
  return assembler_.vec(index, lanes(vector).bits);
}

void Tile::clear() {
  for (int i = 0; i < shape_.rows * shape_.vectors; ++i) assembler_.zero(assembler_.vec(i));
}

namespace {

bool is_active(uint32_t active, int row) {
  return row >= 32 || (active >> row & 1) != 0;
}

}  // namespace

void Tile::step(const Place& a, const Place& b, uint32_t active) {
  shape_.vectors <= shape_.rows ? step_over_rows(a, b, active) : step_over_vectors(a, b, active);
}

// The vectors of B stay in registers, the elements of A pass by.
void Tile::step_over_rows(const Place& a, const Place& b, uint32_t active) {
  for (int v = 0; v < shape_.vectors; ++v) {
    assembler_.load_lanes(vector_register(spare(v), v), b(v), lanes(v));
  }
  // For a single vector the broadcast is free as part of the FMA; for more it would be repeated.
  const bool embedded = shape_.vectors == 1 && assembler_.is_avx512();
  const int element = spare(shape_.vectors);
  for (int row = 0; row < shape_.rows; ++row) {
    if (!is_active(active, row)) continue;
    if (embedded) {
      assembler_.fma231(vector_register(accumulator(row, 0), 0), vector_register(spare(0), 0),
                        assembler_.ptr_b[a(row)]);
      continue;
    }
    assembler_.load_broadcast(vector_register(element, 0), a(row));
    for (int v = 0; v < shape_.vectors; ++v) {
      assembler_.fma231(vector_register(accumulator(row, v), v), vector_register(element, v),
                        vector_register(spare(v), v));
    }
  }
}

// The elements of A stay in registers, the vectors of B pass by.
void Tile::step_over_vectors(const Place& a, const Place& b, uint32_t active) {
  for (int row = 0; row < shape_.rows; ++row) {
    if (is_active(active, row)) assembler_.load_broadcast(assembler_.vec(spare(row)), a(row));
  }
  const int passing = spare(shape_.rows);
  for (int v = 0; v < shape_.vectors; ++v) {
    if (shape_.rows == 1 && !lanes(v).partial) {
      assembler_.fma231(vector_register(accumulator(0, v), v), vector_register(spare(0), v),
                        assembler_.ptr[b(v)]);
      continue;
    }
    assembler_.load_lanes(vector_register(passing, v), b(v), lanes(v));
    for (int row = 0; row < shape_.rows; ++row) {
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
  const auto vectors = static_cast<size_t>(tile.shape().rows * tile.shape().vectors);
  epilogue_.body.instructions.size() * vectors <= kStraightInstructions ? emit_straight(tile, walk)
                                                                        : emit_loop(tile, walk);
}

// Accumulators stay in their registers, which become free one by one.
void TileEpilogue::emit_straight(const Tile& tile, const RowWalk& walk) {
  const TileShape& shape = tile.shape();
  std::vector<int> free;
  for (int i = shape.rows * shape.vectors; i < assembler_.register_count(); ++i) free.push_back(i);
  for (int row = 0; row < shape.rows; ++row) {
    walk.begin_row(row);
    for (int v = 0; v < shape.vectors; ++v) {
      const int accumulator = tile.accumulator(row, v);
      emit_vector(tile, row, v, BodySource::in_register(accumulator, /*consumed=*/true), walk,
                  free);
      free.push_back(accumulator);
    }
  }
}

// Accumulators go through the frame, and one loop over rows handles them.
void TileEpilogue::emit_loop(const Tile& tile, const RowWalk& walk) {
  const TileShape& shape = tile.shape();
  const int bytes = assembler_.vector_bytes();
  if (!frame_) {
    frame_ = {assembler_.frame_slot(assembler_.register_count() * bytes), assembler_.frame_slot(8),
              assembler_.frame_slot(8)};
  }
  for (int i = 0; i < shape.rows * shape.vectors; ++i) {
    assembler_.vmovups(assembler_.ptr[frame_->accumulators + i * bytes], assembler_.vec(i));
  }
  std::vector<int> free;
  for (int i = 0; i < assembler_.register_count(); ++i) free.push_back(i);
  Xbyak::Label next;
  assembler_.lea(Xbyak::util::rax, assembler_.ptr[frame_->accumulators]);
  assembler_.mov(assembler_.ptr[frame_->current], Xbyak::util::rax);
  assembler_.mov(assembler_.qword[frame_->rows_left], static_cast<uint32_t>(shape.rows));
  assembler_.L(next);
  walk.begin_row(0);
  for (int v = 0; v < shape.vectors; ++v) {
    emit_vector(tile, 0, v,
                {.kind = BodySource::Kind::vector,
                 .address = Xbyak::util::rax + v * bytes,
                 .loads_base = true,
                 .base = frame_->current},
                walk, free);
  }
  walk.advance();
  assembler_.CodeGenerator::add(assembler_.qword[frame_->current],
                                static_cast<uint32_t>(shape.vectors * bytes));
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
