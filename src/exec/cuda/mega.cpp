#include "exec/cuda/mega.h"

#include <fmt/format.h>

#include "exec/cuda/mega_source.h"
#include "exec/plan/traffic.h"

namespace outerloop::exec::cuda {
namespace {

// Beyond these the compiler takes minutes, or the arguments are too many.
constexpr int64_t kMostSteps = 4000;
constexpr int64_t kMostCases = 400;
constexpr int64_t kMostOperands = 200;
// A block's memory from which on longest-lived values go elsewhere: the most, so that kernels made
// beforehand are those that any GPU asks for.
constexpr int64_t kRoomForOverflow = MegaSource::kMostSharedBytes;
// What steps share beside the arena, at most.
constexpr int64_t kScratchBytes = 12 * 1024;
// A launch takes about two microseconds, in which a block computes so much.
constexpr int64_t kFlopsOfLaunch = 200'000;

MegaChoice refused(std::string_view what, int64_t count, int64_t most) {
  return {.why_not = fmt::format("{} {}, of {}", count, what, most)};
}

}  // namespace

MegaChoice mega_kernel(const Program& optimised, const DeviceLimits& limits) {
  const auto room = static_cast<int64_t>(limits.shared_bytes_on_request);
  const auto equations = static_cast<int64_t>(optimised.equations.size());
  if (equations > kMostSteps) return refused("equations", equations, kMostSteps);
  if (room <= kScratchBytes) return {.why_not = "no shared memory on request"};
  ProgramPlan plan = plan_program(optimised, {.shares = false});
  if (plan.lane_arena_bytes > room - kScratchBytes) {
    if (room < kRoomForOverflow)
      return refused("bytes", plan.lane_arena_bytes, room - kScratchBytes);
    plan = plan_program(optimised,
                        {.shares = false, .most_arena_bytes = kRoomForOverflow - kScratchBytes});
  }
  const StepTable& lane = plan.lane;
  const auto specs = static_cast<int64_t>(lane.specs.size());
  if (plan.lane_overflow_bytes > MegaSource::kMostArenaBytes) {
    return refused("bytes of overflow", plan.lane_overflow_bytes, MegaSource::kMostArenaBytes);
  }
  if (plan.lane_overflow_bytes > 0 && plan.lane_flops.all > specs * kFlopsOfLaunch) {
    return refused("flops in the time of a launch", plan.lane_flops.all / specs, kFlopsOfLaunch);
  }
  MegaSource source;
  for (size_t s = 0; s < lane.specs.size(); ++s) {
    const Location* operands = &lane.operands[static_cast<size_t>(lane.first_operand[s])];
    for (const StepKernel& kernel : kernels_of(lane.specs[s], MegaSource::kTeam))
      source.add(kernel, operands);
  }
  if (source.steps() < 2) return {.why_not = "it has one step, or none"};
  if (source.steps() > kMostSteps) return refused("steps", source.steps(), kMostSteps);
  if (source.cases() > kMostCases) return refused("kinds of steps", source.cases(), kMostCases);
  if (source.operands() > kMostOperands) {
    return refused("operands", source.operands(), kMostOperands);
  }
  if (source.scratch_bytes() + 16 > kScratchBytes) {
    return refused("bytes of scratch", source.scratch_bytes() + 16, kScratchBytes);
  }
  MegaKernel kernel = source.kernel(plan.lane_arena_bytes);
  kernel.overflow_bytes = plan.lane_overflow_bytes;
  kernel.traffic_bytes = traffic_of(lane, false);
  return {.kernel = std::move(kernel)};
}

}  // namespace outerloop::exec::cuda
