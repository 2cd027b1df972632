// Generated loops. Over columns: the inner loop runs along one row, vector by vector. Over rows: a
// block of columns, a few vectors wide, stays in place while the inner loop runs down the rows, so
// that whatever is the same in all rows and the sums over rows stay in registers.

#include <algorithm>
#include <array>
#include <limits>

#include "exec/cpu/loop_generator.h"

namespace outerloop::exec {

bool GeneratedLoop::fits() const {
  constexpr int64_t kLimit = std::numeric_limits<int32_t>::max();
  const int64_t steps = shape_.straight ? shape_.steps(0) + 1 : 2 * shape_.unroll;
  for (size_t i = 0; i < nest_.operands.size(); ++i) {
    const LoopNest::Operand& operand = nest_.operands[i];
    const int64_t step = std::abs(inner_stride(operand));
    const int64_t block = std::abs(operand.column) * as_.vector_lanes() * (shape_.vectors + 1);
    if (step > kLimit / steps || step * steps + block > kLimit) return false;
    const bool stores =
        i >= nest_.input_count() && nest_.outputs[i - nest_.input_count()] == LoopOutputKind::store;
    if (stores && operand.column == 0) return false;
  }
  return pointers_->fits() && shape_.length <= kLimit &&
         std::ranges::all_of(nest_.outer, [](int64_t extent) { return extent <= kLimit; });
}

Lanes GeneratedLoop::lanes_of(int64_t columns, int vector) const {
  const int64_t rest = columns - static_cast<int64_t>(vector) * as_.vector_lanes();
  const auto count = static_cast<int>(std::min<int64_t>(rest, as_.vector_lanes()));
  return as_.lanes(count, kTailMask);
}

void GeneratedLoop::emit_stage(Level level, int vector, const Lanes& lanes) {
  std::vector<int> wanted;
  std::vector<BodySink> sinks;
  for (const Carried& carried : carried_) {
    if (carried.level != level) continue;
    const size_t i = level == Level::column ? static_cast<size_t>(vector) : 0;
    wanted.push_back(carried.value);
    sinks.push_back(BodySink::handler([this, &carried, i, lanes](Vector value) {
      if (carried.slots.empty()) {
        as_.move(as_.vec(carried.registers[i], lanes.bits), value);
      } else {
        as_.vmovaps(as_.ptr[carried.slots[i]], value);
      }
    }));
  }
  if (wanted.empty()) return;
  const std::vector<int> given = given_at(level);
  BodyEmitter(as_, extract(nest_.body, wanted, given), kCompareMask)
      .emit(sources(given, 0, vector, level), sinks, pool_, lanes);
}

void GeneratedLoop::emit_copy(int64_t step, int vector, const Lanes& lanes) {
  std::vector<BodySink> sinks;
  for (size_t k = 0; k < nest_.outputs.size(); ++k) {
    if (sum_of_[k] < 0) {
      sinks.push_back(store_sink(k, step, vector));
      continue;
    }
    LoopSums& sums = sums_[static_cast<size_t>(sum_of_[k])];
    const auto way = static_cast<int>((step * shape_.passes + pass_) % shape_.ways);
    const bool partial = !shape_.over_rows() && lanes.partial;
    sinks.push_back(BodySink::handler([&sums, way, vector, lanes, partial, this](Vector value) {
      sums.add(way, vector, value, lanes, partial, spare());
    }));
  }
  body_->emit(sources(main_given_, step, vector, Level::inner), sinks, pool_, lanes);
}

void GeneratedLoop::emit_step(int64_t step, int64_t columns) {
  if (!shape_.over_rows()) return emit_copy(step, 0, as_.full());
  for (int vector = 0; vector * as_.vector_lanes() < columns; ++vector) {
    emit_copy(step, vector, lanes_of(columns, vector));
  }
}

void GeneratedLoop::emit_tail(int64_t step) {
  if (shape_.tail_columns == 0) return;
  const bool whole = nest_.reduction == Reduction::contiguous;
  emit_copy(step, 0,
            whole ? as_.wide_lanes(shape_.tail_columns, kTailMask)
                  : as_.lanes(shape_.tail_columns, kTailMask));
}

void GeneratedLoop::emit_pass(int64_t columns) {
  int64_t rest = shape_.steps(pass_);
  if (!shape_.straight) {
    Xbyak::Label top;
    pointers_->start_inner(rest / shape_.unroll);
    pointers_->follow_inner(true);
    as_.L(top);
    for (int u = 0; u < shape_.unroll; ++u) emit_step(u, columns);
    pointers_->next_inner(shape_.unroll, top);
    rest %= shape_.unroll;
  }
  for (int64_t step = 0; step < rest; ++step) emit_step(step, columns);
  emit_tail(rest);
  pointers_->follow_inner(false);
}

void GeneratedLoop::emit_inner(int64_t columns) {
  for (pass_ = 0; pass_ < shape_.passes; ++pass_) {
    for (LoopSums& sums : sums_) sums.start(pass_, spare());
    emit_pass(columns);
    for (LoopSums& sums : sums_) sums.finish(pass_);
  }
  pass_ = 0;
}

void GeneratedLoop::finish_sums(int64_t columns) {
  for (size_t k = 0; k < nest_.outputs.size(); ++k) {
    if (sum_of_[k] < 0) continue;
    LoopSums& sums = sums_[static_cast<size_t>(sum_of_[k])];
    if (shape_.over_rows()) {
      for (int vector = 0; vector * as_.vector_lanes() < columns; ++vector) {
        const Lanes lanes = lanes_of(columns, vector);
        const Vector sum = sums.fold_ways(vector, lanes, spare());
        const std::array source{BodySource::in_register(sum.getIdx(), false)};
        const std::array sink{store_sink(k, 0, vector)};
        copy_->emit(source, sink, pool_, lanes);
      }
      continue;
    }
    const Vector sum = sums.fold_ways(0, as_.full(), spare());
    sums.fold_lanes(sum, sum.getIdx() == spare() ? pool_.front() : spare());
    const BodySink sink = store_sink(k, 0, 0);
    if (sink.loads_base) as_.mov(as_.rax, as_.ptr[sink.base]);
    const Vector element = as_.vec(sum.getIdx(), 128);
    as_.is_f32() ? as_.vmovss(as_.ptr[sink.address], element)
                 : as_.vmovsd(as_.ptr[sink.address], element);
  }
}

void GeneratedLoop::emit_block(int64_t columns) {
  if (shape_.over_rows()) {
    for (int vector = 0; vector * as_.vector_lanes() < columns; ++vector) {
      emit_stage(Level::column, vector, lanes_of(columns, vector));
    }
  }
  emit_inner(columns);
  finish_sums(columns);
}

// Over rows: one block of columns after the other.
void GeneratedLoop::emit_blocks() {
  if (!shape_.over_rows()) return emit_block(nest_.columns);
  const int64_t width = static_cast<int64_t>(shape_.vectors) * as_.vector_lanes();
  const int64_t blocks = nest_.columns / width;
  const int64_t rest = nest_.columns % width;
  if (blocks == 0) return emit_block(rest);
  if (blocks == 1 && rest == 0) return emit_block(width);
  std::vector<int64_t> forward, back;
  for (const LoopNest::Operand& operand : nest_.operands) {
    forward.push_back(operand.column * width);
    back.push_back(-operand.column * width * blocks);
  }
  pointers_->repeat(blocks, forward, [&] { emit_block(width); });
  if (blocks == 1) pointers_->advance(forward);
  if (rest > 0) emit_block(rest);
  if (!nest_.outer.empty()) pointers_->advance(back);
}

void GeneratedLoop::emit_outer(size_t axis) {
  if (axis == nest_.outer.size()) {
    emit_stage(Level::outer, 0, as_.full());
    return emit_blocks();
  }
  std::vector<int64_t> forward, back;
  for (const LoopNest::Operand& operand : nest_.operands) {
    forward.push_back(operand.outer[axis]);
    back.push_back(-operand.outer[axis] * nest_.outer[axis]);
  }
  pointers_->repeat(nest_.outer[axis], forward, [&] { emit_outer(axis + 1); });
  if (axis > 0 && nest_.outer[axis] > 1) pointers_->advance(back);
}

Kernel GeneratedLoop::generate() {
  std::vector<int64_t> strides;
  for (const LoopNest::Operand& operand : nest_.operands) strides.push_back(inner_stride(operand));
  pointers_ = std::make_unique<LoopPointers>(as_, std::move(strides), !shape_.straight);
  if (!fits()) return {};
  choose_registers();
  as_.enter(pointers_->saved_registers());
  const bool empty = std::ranges::count(nest_.outer, 0) > 0 ||
                     (nest_.rows == 0 && nest_.reduction == Reduction::none) ||
                     (nest_.columns == 0 && nest_.reduction != Reduction::contiguous);
  if (!empty) {
    pointers_->load();
    const bool whole = nest_.reduction == Reduction::contiguous;
    const auto tail = static_cast<int>(nest_.columns % as_.vector_lanes());
    if (tail > 0) {
      as_.set_mask(whole ? as_.wide_lanes(tail, kTailMask) : as_.lanes(tail, kTailMask));
    }
    emit_stage(Level::constant, 0, as_.full());
    emit_outer(0);
  }
  as_.leave();
  return as_.finish();
}

Kernel make_generated_loop(const LoopNest& nest, Isa isa) {
  return GeneratedLoop(nest, isa).generate();
}

}  // namespace outerloop::exec
