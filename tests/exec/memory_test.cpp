// The planned workspace is what runs touch: all of it to the last byte, and nothing around it.

#include <gtest/gtest.h>

#include <algorithm>

#include "exec/bound_run.h"
#include "exec/check.h"
#include "exec/sample_programs.h"
#include "ops/generated.h"
#include "outerloop/exec/oracle.h"
#include "support/sample_inputs.h"

namespace outerloop::exec {
namespace {

using testing_support::BoundRun;

constexpr size_t kGuard = 4096;

// A workspace of `bytes` with guards before and after it, all filled with one pattern.
class GuardedMemory {
 public:
  GuardedMemory(size_t bytes, std::byte pattern)
      : memory_(DType::i32, {static_cast<int64_t>((2 * kGuard + bytes) / 4 + 1)}),
        bytes_(bytes),
        pattern_(pattern) {
    std::ranges::fill(all(), pattern);
  }
  // The guard behind it belongs to what an Instance may take for its own.
  Workspace workspace() { return Workspace(all().subspan(kGuard, bytes_ + kGuard)); }

  bool front_is_whole() {
    return std::ranges::count(all().first(kGuard), pattern_) == static_cast<int64_t>(kGuard);
  }
  // The end of the last byte that is no longer the pattern.
  size_t high_water() {
    const std::span<std::byte> used = all().subspan(kGuard);
    size_t end = used.size();
    while (end > 0 && used[end - 1] == pattern_) --end;
    return end;
  }

 private:
  std::span<std::byte> all() { return {memory_.data(), memory_.bytes()}; }

  Tensor memory_;
  size_t bytes_;
  std::byte pattern_;
};

// Two patterns: a byte that happens to be written with one differs from the other.
void check_plan(const Program& program, const std::vector<Tensor>& inputs,
                const std::string& what) {
  const std::vector<Tensor> expected = interpret(program, inputs);
  for (const Isa isa : runnable_isas()) {
    const auto executable = Executable::compile(program, {.isa = isa});
    const size_t planned = executable->lane_arena_bytes();
    const std::string where = what + " " + std::string(name_of(isa));
    size_t measured = 0;
    for (const std::byte pattern : {std::byte{0xA5}, std::byte{0x3C}}) {
      GuardedMemory memory(planned, pattern);
      const Workspace workspace = memory.workspace();
      BoundRun bound(executable, inputs, workspace);
      bound.run();
      measured = std::max(measured, memory.high_water());
      EXPECT_TRUE(memory.front_is_whole()) << where;
      testing_support::expect_same_bits(expected, bound.outputs(), where);
    }
    EXPECT_EQ(planned, measured) << where;
  }
}

// With its own bindings, and with everything in the lane's workspace.
void check_both(Program program, const std::vector<Tensor>& inputs, const std::string& what) {
  check_plan(program, inputs, what);
  for (ProgramInput& input : program.inputs) input.binding = Binding::per_lane;
  check_plan(program, inputs, what + " per lane");
}

TEST(PlannedPeak, IsTheMeasuredOneForMetaGradients) {
  for (const testing_support::SampleProgram& sample : testing_support::sample_programs()) {
    const Program program = sample.program(DType::f32);
    check_both(program, testing_support::draw_inputs(program, {}, 11), sample.name);
  }
}

TEST(PlannedPeak, IsTheMeasuredOneForEveryOp) {
  for (const auto& c : outerloop::testing::all_cases()) {
    const auto made = outerloop::testing::neighbourhood(c, DType::f32, 5);
    check_both(made.program, made.inputs, made.name);
  }
}

TEST(PlannedPeak, IsTheMeasuredOneForChains) {
  for (int rank = 0; rank <= Shape::kMaxRank; ++rank) {
    const auto chain = outerloop::testing::random_chain(rank, DType::f64, 70 + rank);
    check_both(chain.program, chain.inputs, chain.name);
  }
}

}  // namespace
}  // namespace outerloop::exec
