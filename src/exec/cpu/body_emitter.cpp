#include "exec/cpu/body_emitter.h"

#include <algorithm>

#include "exec/cpu/body_operations.h"
#include "exec/cpu/body_registers.h"
#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

bool is_comparison(ScalarOp op) {
  return op == ScalarOp::less || op == ScalarOp::less_equal || op == ScalarOp::equal;
}

std::vector<bool> find_deferred(const ScalarBody& body) {
  std::vector<bool> deferred(body.instructions.size());
  for (size_t i = 0; i < deferred.size(); ++i) deferred[i] = is_comparison(body.instructions[i].op);
  for (const ScalarInstruction& instruction : body.instructions) {
    if (instruction.op != ScalarOp::select && instruction.a >= 0) {
      deferred[static_cast<size_t>(instruction.a)] = false;
    }
    for (int32_t operand : {instruction.b, instruction.c}) {
      if (operand >= 0) deferred[static_cast<size_t>(operand)] = false;
    }
  }
  for (int32_t output : body.outputs) deferred[static_cast<size_t>(output)] = false;
  return deferred;
}

// The position after which each output is passed on: at once to a handler; to memory after the
// last read of an input from memory. Inputs and constants come at the end.
std::vector<int> output_positions(const ScalarBody& body, const BodyLiveness& liveness,
                                  std::span<const BodySource> sources,
                                  std::span<const BodySink> sinks) {
  const int end = static_cast<int>(body.instructions.size());
  int last_read = 0;
  for (size_t v = 0; v < body.instructions.size(); ++v) {
    if (body.instructions[v].op != ScalarOp::input || liveness.uses[v].empty()) continue;
    const BodySource& source = sources[static_cast<size_t>(body.instructions[v].index)];
    if (source.kind != BodySource::Kind::reg) {
      last_read = std::max(last_read, liveness.uses[v].back());
    }
  }
  const bool passes_inputs = std::ranges::any_of(body.outputs, [&](int32_t output) {
    return body.instructions[static_cast<size_t>(output)].op == ScalarOp::input;
  });
  std::vector<int> positions;
  for (size_t k = 0; k < body.outputs.size(); ++k) {
    const bool computed = body.instructions[static_cast<size_t>(body.outputs[k])].is_operation();
    if (!computed || (passes_inputs && !sinks[k].take)) {
      positions.push_back(end);
    } else {
      positions.push_back(sinks[k].take ? body.outputs[k] : std::max(last_read, body.outputs[k]));
    }
  }
  return positions;
}

}  // namespace

BodyLiveness::BodyLiveness(const ScalarBody& body)
    : uses(body.instructions.size()), deferred(find_deferred(body)) {
  for (size_t i = 0; i < body.instructions.size(); ++i) {
    if (deferred[i]) continue;
    const ScalarInstruction& instruction = body.instructions[i];
    const auto read = [&](int32_t operand) {
      if (operand >= 0) uses[static_cast<size_t>(operand)].push_back(static_cast<int>(i));
    };
    if (instruction.a >= 0 && deferred[static_cast<size_t>(instruction.a)]) {
      read(body.instructions[static_cast<size_t>(instruction.a)].a);
      read(body.instructions[static_cast<size_t>(instruction.a)].b);
    } else {
      read(instruction.a);
    }
    read(instruction.b);
    read(instruction.c);
  }
}

BodyEmitter::BodyEmitter(Assembler& assembler, const ScalarBody& body, int compare_mask)
    : assembler_(assembler), body_(body), liveness_(body_), compare_mask_(compare_mask) {}

void BodyEmitter::emit(std::span<const BodySource> sources, std::span<const BodySink> sinks,
                       std::span<const int> free, const Lanes& lanes) {
  OL_ASSERT(
      static_cast<int>(sources.size()) == body_.input_count && sinks.size() == body_.outputs.size(),
      "a body needs one source per input and one sink per output");
  const std::vector<int> positions = output_positions(body_, liveness_, sources, sinks);
  std::vector<std::vector<int>> uses = liveness_.uses;
  for (size_t k = 0; k < positions.size(); ++k) {
    std::vector<int>& reads = uses[static_cast<size_t>(body_.outputs[k])];
    reads.insert(std::ranges::upper_bound(reads, positions[k]), positions[k]);
  }
  BodyRegisters registers(assembler_, body_, std::move(uses), sources, free, lanes, spill_slots_);
  const auto pass_on = [&](int position) {
    for (size_t k = 0; k < positions.size(); ++k) {
      if (positions[k] != position) continue;
      if (sinks[k].take) {
        sinks[k].take(registers.to_register(body_.outputs[k]));
      } else {
        registers.store(body_.outputs[k], sinks[k]);
      }
      registers.consume(body_.outputs[k]);
      registers.end_instruction();
    }
  };
  const int end = static_cast<int>(body_.instructions.size());
  for (int i = 0; i < end; ++i) {
    const bool deferred = liveness_.deferred[static_cast<size_t>(i)];
    if (body_.instructions[static_cast<size_t>(i)].is_operation() && !deferred) {
      emit_operation(assembler_, body_, liveness_, i, compare_mask_, registers);
    }
    pass_on(i);
  }
  registers.read_inputs_before_stores(body_.outputs);
  pass_on(end);
}

int BodyEmitter::pressure() const {
  int most = 0;
  for (int i = 0; i < static_cast<int>(body_.instructions.size()); ++i) {
    int live = 1;
    for (int v = 0; v <= i; ++v) {
      const std::vector<int>& uses = liveness_.uses[static_cast<size_t>(v)];
      const bool computed = body_.instructions[static_cast<size_t>(v)].is_operation();
      const bool output = std::ranges::count(body_.outputs, v) > 0;
      if (uses.empty() || (!computed && uses.size() < 2)) continue;
      const int first = computed ? v : uses.front();
      live += first <= i && (uses.back() > i || output);
    }
    most = std::max(most, live);
  }
  return most;
}

}  // namespace outerloop::exec
