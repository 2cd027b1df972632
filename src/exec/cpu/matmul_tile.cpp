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

void TileEpilogue::emit(const Tile& tile, const Place& place,
                        const std::function<void(int)>& begin_row) {
  const TileShape& shape = tile.shape();
  std::vector<int> free;
  for (int i = shape.rows * shape.vectors; i < assembler_.register_count(); ++i) free.push_back(i);
  for (int row = 0; row < shape.rows; ++row) {
    begin_row(row);
    for (int v = 0; v < shape.vectors; ++v) {
      emit_vector(tile, row, v, place, free);
      free.push_back(tile.accumulator(row, v));
    }
  }
}

void TileEpilogue::emit_vector(const Tile& tile, int row, int vector, const Place& place,
                               std::vector<int>& free) {
  const auto shifted = [&](const OperandPlace& at, size_t operand) {
    return strides(operand)[2] == 0 ? at.address : at.address + vector * assembler_.vector_bytes();
  };
  std::vector<BodySource> sources{
      BodySource::in_register(tile.accumulator(row, vector), /*consumed=*/true)};
  for (size_t i = 0; i < epilogue_.inputs.size(); ++i) {
    const OperandPlace at = place(i, row);
    sources.push_back({.kind = epilogue_.inputs[i][2] == 0 ? BodySource::Kind::broadcast
                                                           : BodySource::Kind::vector,
                       .address = shifted(at, i),
                       .loads_base = at.loads_base,
                       .base = at.base});
  }
  std::vector<BodySink> sinks;
  for (size_t i = 0; i < epilogue_.outputs.size(); ++i) {
    const size_t operand = epilogue_.inputs.size() + i;
    const OperandPlace at = place(operand, row);
    sinks.push_back(
        {.address = shifted(at, operand), .loads_base = at.loads_base, .base = at.base});
  }
  body_.emit(sources, sinks, free, tile.lanes(vector));
}

}  // namespace outerloop::exec
