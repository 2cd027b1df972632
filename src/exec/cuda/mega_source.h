#pragma once
// The text of a kernel whose blocks run the steps of a lane one after the other, its arena in
// shared memory.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "exec/cuda/mega.h"
#include "exec/cuda/source.h"
#include "exec/plan/program_plan.h"
#include "outerloop/passes/memory_plan.h"

namespace outerloop::exec::cuda {

// Steps that differ in where their operands are alone are calls of one case. Where most steps are
// such, as those of several inner steps, the calls are a table and the kernel has each case once:
// its code stays in the instruction cache, and is compiled in the time of one inner step. Where a
// multiprocessor has room for one block, so that registers do not matter, a few cases each are a
// function of their own: the compiler's time grows with the square of a function's length.
class MegaSource {
 public:
  static constexpr Team kTeam{256};
  // Of a block on an H100 or an H200, the most of all GPUs.
  static constexpr int64_t kMostSharedBytes = 227 * 1024;
  // Of arena and overflow, in which a table counts with sixteen bits.
  static constexpr int64_t kUnit = passes::kAlignment;
  static constexpr int64_t kMostArenaBytes = kUnit << 16;

  // A kernel of a step, made for kTeam; `operands` of the step.
  void add(const StepKernel& kernel, const Location* operands);

  int64_t steps() const { return static_cast<int64_t>(calls_.size()); }
  int64_t cases() const { return static_cast<int64_t>(cases_.size()); }
  int64_t operands() const { return static_cast<int64_t>(operands_.size()); }
  int64_t scratch_bytes() const { return scratch_bytes_; }

  MegaKernel kernel(int64_t arena_bytes) const;

 private:
  struct Case {
    size_t function;
    int64_t blocks;
    std::vector<Place> places;
    bool operator==(const Case&) const = default;
  };
  struct Call {
    size_t number;  // of the case
    std::vector<int64_t> operands;
  };

  size_t case_of(const KernelCode& code, std::vector<Place> places);
  int64_t number_of(const Location& location);
  int64_t operand(const Location& location);
  std::string operands_type() const;
  std::string memory() const;
  static std::string text_of(const Case& one, const std::vector<std::string>& numbers);
  std::string all_calls() const;
  std::string table() const;
  std::string switch_over(size_t begin, size_t end) const;
  std::string parts() const;
  std::string calls_of_parts() const;
  std::string loop_over_table(const std::string& call) const;

  std::string functions_;
  std::map<std::string, size_t> functions_by_text_;
  std::vector<Case> cases_;
  std::vector<Call> calls_;
  std::vector<Location> operands_;
  int64_t scratch_bytes_ = 0;
};

}  // namespace outerloop::exec::cuda
