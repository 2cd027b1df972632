#include <algorithm>
#include <cstddef>

#include "exec/cpu/conv_generator.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {

using namespace Xbyak::util;

// The epilogue's operands at row 0 of the result: a register and the offset of the row while they
// last, the others in the frame.
std::vector<OperandPlace> ConvGenerator::place_operands(bool moving_columns) {
  std::vector<OperandPlace> places;  // of row 0 of the result
  offset_strides_.clear();
  assembler_.mov(rsi, slot(operands_));
  for (size_t i = 0; i < epilogue_.operand_count(); ++i) {
    const TileStrides& strides = epilogue_.strides(i);
    const auto known = std::ranges::find(offset_strides_, strides[1]);
    const bool offset_fits = strides[1] == 0 || known != offset_strides_.end() ||
                             offset_strides_.size() < row_offsets_.size();
    if (i + 1 >= pointers_.size() || !offset_fits) {
      const size_t used = places.size() - static_cast<size_t>(std::ranges::count(
                                              places, false, &OperandPlace::loads_base));
      if (used == pointer_slots_.size()) pointer_slots_.push_back(assembler_.frame_slot(8));
      places.push_back(
          {.address = Xbyak::RegExp(rax), .loads_base = true, .base = pointer_slots_[used]});
      continue;
    }
    assembler_.mov(pointers_[i], assembler_.ptr[rsi + 8 * (2 + static_cast<int>(i))]);
    if (moving_columns && strides[2] != 0) assembler_.add(pointers_[i], slot(column_));
    if (strides[1] == 0) {
      places.push_back({.address = Xbyak::RegExp(pointers_[i])});
      continue;
    }
    const auto index = static_cast<size_t>(known - offset_strides_.begin());
    if (known == offset_strides_.end()) offset_strides_.push_back(strides[1]);
    places.push_back({.address = pointers_[i] + row_offsets_[index]});
  }
  return places;
}

void ConvGenerator::emit_epilogue(const Tile& tile, const ColumnPanel& panel) {
  const bool moving_columns = panel.repeats > 1;
  const std::vector<OperandPlace> places = place_operands(moving_columns);
  assembler_.mov(table_row_, slot(tile_row_));
  const auto place = [&](size_t operand, int) {
    OperandPlace at = places[operand];
    const int64_t column = moving_columns ? 0 : panel.first_column * epilogue_.strides(operand)[2];
    at.address = at.address + static_cast<size_t>(column * bytes_);
    return at;
  };
  epilogue_.emit(
      tile,
      {.place = place,
       .begin_row = [&](int row) { emit_row_start(row, places, moving_columns); },
       .advance = [&] { assembler_.add(table_row_, static_cast<uint32_t>(sizeof(ConvRow))); }});
}

// Byte offsets of a row of the result, and the operands that have no register.
void ConvGenerator::emit_row_start(int row, const std::vector<OperandPlace>& places,
                                   bool moving_columns) {
  const size_t offset = static_cast<size_t>(row) * sizeof(ConvRow) + offsetof(ConvRow, row);
  assembler_.movsxd(row_, assembler_.dword[table_row_ + offset]);
  const auto stride_bytes = [&](int64_t stride) {
    const int64_t count = stride * bytes_;
    OL_ASSERT(count == static_cast<int32_t>(count), "conv: a row stride is too large");
    return static_cast<int32_t>(count);
  };
  for (size_t i = 0; i < offset_strides_.size(); ++i) {
    assembler_.imul(row_offsets_[i], row_, stride_bytes(offset_strides_[i]));
  }
  for (size_t i = 0; i < places.size(); ++i) {
    if (!places[i].loads_base) continue;
    const TileStrides& strides = epilogue_.strides(i);
    assembler_.imul(spilled_, row_, stride_bytes(strides[1]));
    assembler_.mov(rax, slot(operands_));
    assembler_.add(spilled_, assembler_.ptr[rax + 8 * (2 + static_cast<int>(i))]);
    if (moving_columns && strides[2] != 0) assembler_.add(spilled_, slot(column_));
    assembler_.mov(slot(places[i].base), spilled_);
  }
}

}  // namespace outerloop::exec
