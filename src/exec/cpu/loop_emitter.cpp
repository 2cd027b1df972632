// Generated loops. Over columns: the inner loop runs along one row, vector by vector. Over rows: a
// block of columns, a few vectors wide, stays in place while the inner loop runs down the rows, so
// that whatever is the same in all rows and the sums over rows stay in registers.

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "exec/cpu/body_emitter.h"
#include "exec/cpu/loop_pointers.h"
#include "exec/cpu/loop_shape.h"
#include "exec/cpu/loop_sums.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr int kTailMask = 1;
constexpr int kCompareMask = 2;

class GeneratedLoop {
 public:
  GeneratedLoop(const LoopNest& nest, Isa isa)
      : nest_(nest),
        as_(isa, nest.dtype),
        shape_(choose_shape(nest_, {as_.vector_lanes(), as_.register_count()})) {}

  // No kernel where addresses do not fit.
  Kernel generate();

 private:
  // A value that is computed or loaded before the inner loop.
  struct Carried {
    int value;
    Level level;
    std::vector<int> registers;        // one, or one per vector of the block
    std::vector<Xbyak::RegExp> slots;  // instead of registers
  };

  bool fits() const;
  void choose_registers();
  void carry(int value, bool must);
  std::vector<int> take_registers(int count);

  void emit_outer(size_t axis);
  void emit_blocks();
  void emit_block(int64_t columns);
  void emit_inner(int64_t columns);
  void emit_pass(int64_t columns);
  void emit_step(int64_t step, int64_t columns);
  void emit_tail(int64_t step);
  void emit_copy(int64_t step, int vector, const Lanes& lanes);
  void emit_stage(Level level, int vector, const Lanes& lanes);
  void finish_sums(int64_t columns);

  int spare() const { return as_.register_count() - 1; }
  Lanes lanes_of(int64_t columns, int vector) const;
  int64_t inner_stride(const LoopNest::Operand& operand) const;
  int64_t displacement(const LoopNest::Operand& operand, int64_t step, int vector) const;
  std::vector<int> given_at(Level level) const;
  BodySource source(int value, int64_t step, int vector, Level level) const;
  std::vector<BodySource> sources(std::span<const int> given, int64_t step, int vector,
                                  Level level) const;
  BodySink store_sink(size_t output, int64_t step, int vector) const;

  LoopNest nest_;
  Assembler as_;
  LoopShape shape_;
  int pass_ = 0;
  std::vector<Level> levels_;
  std::vector<int> inputs_;  // the input instructions of the body
  std::vector<Carried> carried_;
  std::vector<int> main_given_;
  std::vector<int> pool_;  // vector registers not given away
  int budget_ = 0;         // of which the inner loop can spare these
  std::unique_ptr<LoopPointers> pointers_;
  std::unique_ptr<BodyEmitter> body_;
  std::unique_ptr<BodyEmitter> copy_;  // one value from register to memory
  std::vector<LoopSums> sums_;
  std::vector<int> sum_of_;  // per output: index into sums_, or -1
};

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

// Bytes from one step to the next.
int64_t GeneratedLoop::inner_stride(const LoopNest::Operand& operand) const {
  return shape_.over_rows() ? operand.row * shape_.passes : operand.column * as_.vector_lanes();
}

int64_t GeneratedLoop::displacement(const LoopNest::Operand& operand, int64_t step,
                                    int vector) const {
  return step * inner_stride(operand) + pass_ * operand.row +
         vector * as_.vector_lanes() * operand.column;
}

Lanes GeneratedLoop::lanes_of(int64_t columns, int vector) const {
  const int64_t rest = columns - static_cast<int64_t>(vector) * as_.vector_lanes();
  const auto count = static_cast<int>(std::min<int64_t>(rest, as_.vector_lanes()));
  return as_.lanes(count, kTailMask);
}

void GeneratedLoop::choose_registers() {
  const std::vector<ScalarInstruction>& instructions = nest_.body.instructions;
  levels_ = levels_of(nest_, shape_.inner);
  std::vector<int> uses(instructions.size(), 0);  // in the inner loop
  const auto use = [&](int32_t value) {
    if (value >= 0) ++uses[static_cast<size_t>(value)];
  };
  for (size_t i = 0; i < instructions.size(); ++i) {
    if (instructions[i].op == ScalarOp::input) inputs_.push_back(static_cast<int>(i));
    if (levels_[i] != Level::inner) continue;
    for (int32_t operand : {instructions[i].a, instructions[i].b, instructions[i].c}) use(operand);
  }
  for (int32_t output : nest_.body.outputs) use(output);

  const std::vector<int> results = invariant_results(nest_, levels_);
  std::vector<int> given = results;
  given.insert(given.end(), inputs_.begin(), inputs_.end());
  const std::vector<int> outputs(nest_.body.outputs.begin(), nest_.body.outputs.end());
  const int pressure =
      BodyEmitter(as_, extract(nest_.body, outputs, given), kCompareMask).pressure();
  const bool reduces = nest_.reduction != Reduction::none;
  pool_.resize(static_cast<size_t>(as_.register_count() - (reduces ? 1 : 0)));
  std::iota(pool_.begin(), pool_.end(), 0);
  budget_ = static_cast<int>(pool_.size()) - std::max(pressure + 2, BodyEmitter::kMinRegisters + 1);

  for (LoopOutputKind kind : nest_.outputs) {
    sum_of_.push_back(kind == LoopOutputKind::store ? -1 : static_cast<int>(sums_.size()));
    if (kind == LoopOutputKind::store) continue;
    const int at_once = shape_.ways / shape_.passes * shape_.vectors;
    sums_.emplace_back(as_, is_maximum(kind), shape_.ways, shape_.vectors, take_registers(at_once));
  }
  for (int value : results) carry(value, true);
  // What is read from memory in each step otherwise; a zero is better known as such.
  for (const ScalarOp kind : {ScalarOp::input, ScalarOp::constant}) {
    for (size_t i = 0; i < instructions.size(); ++i) {
      const bool zero =
          kind == ScalarOp::constant && as_.pattern(instructions[i].value) == as_.pattern(0.0);
      if (instructions[i].op != kind || levels_[i] == Level::inner || uses[i] == 0 || zero) {
        continue;
      }
      if (uses[i] * shape_.length > 1) carry(static_cast<int>(i), false);
    }
  }
  main_given_ = given_at(Level::inner);
  body_ =
      std::make_unique<BodyEmitter>(as_, extract(nest_.body, outputs, main_given_), kCompareMask);
  ScalarBuilder builder(nest_.dtype, 1);
  copy_ = std::make_unique<BodyEmitter>(as_, builder.finish(std::array{builder.input(0)}),
                                        kCompareMask);
}

// None where there are not that many left.
std::vector<int> GeneratedLoop::take_registers(int count) {
  if (count > budget_) return {};
  budget_ -= count;
  const std::vector<int> taken(pool_.end() - count, pool_.end());
  pool_.resize(pool_.size() - static_cast<size_t>(count));
  return taken;
}

void GeneratedLoop::carry(int value, bool must) {
  const Level level = levels_[static_cast<size_t>(value)];
  const int width = level == Level::column ? shape_.vectors : 1;
  Carried carried{value, level, take_registers(width), {}};
  if (carried.registers.empty() && !must) return;
  if (carried.registers.empty()) {
    for (int i = 0; i < width; ++i) carried.slots.push_back(as_.frame_slot(as_.vector_bytes()));
  }
  carried_.push_back(std::move(carried));
}

// What a stage starts from: values carried from earlier levels, and the inputs.
std::vector<int> GeneratedLoop::given_at(Level level) const {
  std::vector<int> given;
  for (const Carried& carried : carried_) {
    if (carried.level < level) given.push_back(carried.value);
  }
  given.insert(given.end(), inputs_.begin(), inputs_.end());
  return given;
}

BodySource GeneratedLoop::source(int value, int64_t step, int vector, Level level) const {
  for (const Carried& carried : carried_) {
    if (carried.value != value || carried.level >= level) continue;
    const size_t i = carried.level == Level::column ? static_cast<size_t>(vector) : 0;
    if (carried.slots.empty()) return BodySource::in_register(carried.registers[i], false);
    return BodySource::vector(carried.slots[i]);
  }
  const auto input = static_cast<size_t>(nest_.body.instructions[static_cast<size_t>(value)].index);
  const LoopNest::Operand& operand = nest_.operands[input];
  BodySource source;
  pointers_->locate(source, input, displacement(operand, step, vector));
  source.kind = operand.column == 0                     ? BodySource::Kind::broadcast
                : operand.column == as_.element_bytes() ? BodySource::Kind::vector
                                                        : BodySource::Kind::strided;
  source.stride = operand.column;
  return source;
}

std::vector<BodySource> GeneratedLoop::sources(std::span<const int> given, int64_t step, int vector,
                                               Level level) const {
  std::vector<BodySource> result;
  for (int value : given) result.push_back(source(value, step, vector, level));
  return result;
}

BodySink GeneratedLoop::store_sink(size_t output, int64_t step, int vector) const {
  const size_t operand = nest_.input_count() + output;
  const LoopNest::Operand& strides = nest_.operands[operand];
  BodySink sink;
  pointers_->locate(sink, operand, displacement(strides, step, vector));
  sink.stride = strides.column == as_.element_bytes() ? 0 : strides.column;
  return sink;
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

}  // namespace

Kernel make_generated_loop(const LoopNest& nest, Isa isa) {
  return GeneratedLoop(nest, isa).generate();
}

}  // namespace outerloop::exec
