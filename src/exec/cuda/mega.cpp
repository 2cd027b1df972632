#include "exec/cuda/mega.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "exec/plan/traffic.h"

namespace outerloop::exec::cuda {
namespace {

constexpr Team kTeam{256};
// Beyond these the compiler takes minutes, or the arguments are too many.
constexpr int64_t kMostSteps = 1000;
constexpr int64_t kMostOperands = 200;
// What steps share beside the arena, at most.
constexpr int64_t kScratchBytes = 12 * 1024;
// A launch takes about two microseconds, in which a block computes so much.
constexpr int64_t kFlopsOfLaunch = 200'000;

// For how many blocks of a multiprocessor its registers must do: those that fit its shared memory
// (of an H100), at most four. Left to itself, the compiler rather spills some than have fewer.
std::string launch_bounds(int64_t shared_bytes) {
  constexpr int64_t kShared = 227 * 1024, kSharedOfSystem = 1024, kMostBlocks = 4;
  const int64_t blocks = kShared / (shared_bytes + kSharedOfSystem);
  return fmt::format("{}, {}", kTeam.threads, std::clamp<int64_t>(blocks, 1, kMostBlocks));
}

class MegaSource {
 public:
  void add(const StepKernel& kernel, const Location* operands) {
    scratch_bytes_ = std::max(scratch_bytes_, kernel.code.scratch_bytes);
    const std::string function = function_of(kernel.code);
    std::string addresses;
    for (int operand : kernel.operands) {
      addresses += (addresses.empty() ? "" : ", ") + address(operands[operand]);
    }
    calls_ += fmt::format("{{\nconst ol::Pointers<{}> q({});\n", kernel.code.operands, addresses);
    if (kernel.code.blocks == 1) {
      calls_ += fmt::format("{}::run(q, 0, scratch);\n__syncthreads();\n}}\n", function);
    } else {
      calls_ += fmt::format(
          "#pragma unroll 1\nfor (unsigned block = 0; block < {}U; ++block) {{\n"
          "{}::run(q, block, scratch);\n__syncthreads();\n}}\n}}\n",
          kernel.code.blocks, function);
    }
    ++steps_;
  }

  int64_t steps() const { return steps_; }
  int64_t operands() const { return static_cast<int64_t>(operands_.size()); }
  int64_t scratch_bytes() const { return scratch_bytes_; }

  MegaKernel kernel(int64_t arena_bytes) const {
    const std::string bounds = launch_bounds(arena_bytes + scratch_bytes_);
    const std::string text = functions_ + calls_ + bounds;
    const std::string name = kernel_name("lane", text);
    const size_t count = std::max<size_t>(operands_.size(), 1);
    return {.source = {.name = name,
                       .text = fmt::format(
                           "namespace {0}_code {{\n{1}}}\n"
                           "extern \"C\" __global__ void __launch_bounds__({2})\n"
                           "    {0}(const ol::Operands<{3}> operands) {{\n"
                           "using namespace {0}_code;\n"
                           "OL_DYNAMIC_SHARED(arena);\n"
                           "__shared__ double scratch_memory[{4}];\n"
                           "char* const scratch = reinterpret_cast<char*>(scratch_memory);\n"
                           "const ol::Pointers<{3}> p(operands, blockIdx.x);\n{5}}}\n",
                           name, functions_, bounds, count, scratch_bytes_ / 8 + 1, calls_),
                       .shared_bytes = static_cast<size_t>(arena_bytes)},
            .threads = kTeam.threads,
            .operands = operands_};
  }

 private:
  // Equal steps are one function, which is not inlined everywhere.
  std::string function_of(const KernelCode& code) {
    const auto [known, is_new] = names_.try_emplace(code.run, fmt::format("s{}", names_.size()));
    if (is_new) functions_ += fmt::format("namespace {} {{\n{}}}\n", known->second, code.run);
    return known->second;
  }

  std::string address(const Location& location) {
    if (location.place == Place::lane_arena) return fmt::format("arena + {}", location.at);
    if (location.place != Place::lane_overflow) return fmt::format("p.at[{}]", operand(location));
    return fmt::format("p.at[{}] + {}", operand({location.place, 0}), location.at);
  }

  std::ptrdiff_t operand(const Location& location) {
    const auto found = std::ranges::find_if(operands_, [&](const Location& other) {
      return other.place == location.place && other.at == location.at;
    });
    const auto place = found - operands_.begin();
    if (found == operands_.end()) operands_.push_back(location);
    return place;
  }

  std::string functions_, calls_;
  std::map<std::string, std::string> names_;
  std::vector<Location> operands_;
  int64_t scratch_bytes_ = 0;
  int64_t steps_ = 0;
};

MegaChoice refused(std::string_view what, int64_t count, int64_t most) {
  return {.why_not = fmt::format("{} {}, of {}", count, what, most)};
}

}  // namespace

MegaChoice mega_kernel(const Program& optimised, const DeviceLimits& limits) {
  const auto room = static_cast<int64_t>(limits.shared_bytes_on_request);
  const auto equations = static_cast<int64_t>(optimised.equations.size());
  if (equations > kMostSteps) return refused("equations", equations, kMostSteps);
  if (room <= kScratchBytes) return {.why_not = "no shared memory on request"};
  const ProgramPlan plan =
      plan_program(optimised, {.shares = false, .most_arena_bytes = room - kScratchBytes});
  const StepTable& lane = plan.lane;
  const auto specs = static_cast<int64_t>(lane.specs.size());
  if (plan.lane_overflow_bytes > 0 && plan.lane_flops.all > specs * kFlopsOfLaunch) {
    return refused("flops in the time of a launch", plan.lane_flops.all / specs, kFlopsOfLaunch);
  }
  MegaSource source;
  for (size_t s = 0; s < lane.specs.size(); ++s) {
    const Location* operands = &lane.operands[static_cast<size_t>(lane.first_operand[s])];
    for (const StepKernel& kernel : kernels_of(lane.specs[s], kTeam)) source.add(kernel, operands);
  }
  if (source.steps() == 1) return {.why_not = "it has one step"};
  if (source.steps() > kMostSteps) return refused("steps", source.steps(), kMostSteps);
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
