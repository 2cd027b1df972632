#pragma once
// The accumulators of a generated loop's reductions, in registers or in the frame.

#include <vector>

#include "exec/cpu/jit.h"
#include "exec/cpu/loop.h"

namespace outerloop::exec {

// One reduced output: `ways` accumulators for each of `vectors` blocks of columns (sum over rows),
// or kContiguousWays elements spread over `ways` vectors (sum over columns). Registers hold all of
// them, or those of one way at a time (one pass per way), or none: then they live in the frame.
// `spare` is a register that may be overwritten, of any width.
class LoopSums {
 public:
  LoopSums(Assembler& assembler, bool maximum, int ways, int vectors, std::vector<int> registers)
      : assembler_(assembler),
        maximum_(maximum),
        ways_(ways),
        vectors_(vectors),
        registers_(std::move(registers)) {}

  // Before and after each pass.
  void start(int pass, int spare);
  void finish(int pass);
  // Adds `value` to an accumulator. With `partial`, only to its first `lanes.count` elements (then
  // of full width).
  void add(int way, int vector, Vector value, const Lanes& lanes, bool partial, int spare);
  // The halving tree over the ways; the result is in the register returned.
  Vector fold_ways(int vector, const Lanes& lanes, int spare);
  // The tree over the elements of one whole vector, the result in its lowest element.
  void fold_lanes(Vector sum, int spare);

 private:
  void combine(Vector target, Vector a, const Xbyak::Operand& b);
  bool in_registers() const { return registers_.size() == place(ways_, 0); }
  bool by_way() const { return !in_registers() && !registers_.empty(); }
  Xbyak::Address slot(int way, int vector);
  size_t place(int way, int vector) const { return static_cast<size_t>(way * vectors_ + vector); }

  Assembler& assembler_;
  bool maximum_;
  int ways_;
  int vectors_;
  std::vector<int> registers_;
  std::vector<Xbyak::RegExp> slots_;
};

}  // namespace outerloop::exec
