#pragma once
// The generator of one loop: which values live in which registers (loop_values.cpp), and the code
// around them (loop_emitter.cpp).

#include <memory>
#include <span>
#include <vector>

#include "exec/cpu/body_emitter.h"
#include "exec/cpu/loop_pointers.h"
#include "exec/cpu/loop_shape.h"
#include "exec/cpu/loop_sums.h"

namespace outerloop::exec {

class GeneratedLoop {
 public:
  GeneratedLoop(const LoopNest& nest, Isa isa)
      : nest_(nest),
        as_(isa, nest.dtype),
        shape_(choose_shape(nest_, {as_.vector_lanes(), as_.register_count()})) {}

  // No kernel where addresses do not fit.
  Kernel generate();

 private:
  static constexpr int kTailMask = 1;
  static constexpr int kCompareMask = 2;

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

}  // namespace outerloop::exec
