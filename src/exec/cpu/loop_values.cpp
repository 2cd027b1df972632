// What a generated loop keeps in registers and where it finds the rest.

#include <algorithm>
#include <array>
#include <numeric>

#include "exec/cpu/loop_generator.h"

namespace outerloop::exec {

// Bytes from one step to the next.
int64_t GeneratedLoop::inner_stride(const LoopNest::Operand& operand) const {
  return shape_.over_rows() ? operand.row * shape_.passes : operand.column * as_.vector_lanes();
}

int64_t GeneratedLoop::displacement(const LoopNest::Operand& operand, int64_t step,
                                    int vector) const {
  return step * inner_stride(operand) + pass_ * operand.row +
         vector * as_.vector_lanes() * operand.column;
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

}  // namespace outerloop::exec
