#include "exec/cuda/mega.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "outerloop/base/hash.h"

namespace outerloop::exec::cuda {
namespace {

constexpr Team kTeam{256};
// Beyond these the compiler takes minutes, or the arguments are too many.
constexpr size_t kMostSteps = 1000;
constexpr size_t kMostOperands = 200;

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

  bool fits() const {
    return steps_ > 1 && steps_ <= kMostSteps && operands_.size() <= kMostOperands;
  }
  int64_t scratch_bytes() const { return scratch_bytes_; }

  MegaKernel kernel(int64_t arena_bytes) const {
    const std::string bounds = launch_bounds(arena_bytes + scratch_bytes_);
    const std::string text = functions_ + calls_ + bounds;
    const std::string name =
        "ol_" + to_hex(xxh3_128({reinterpret_cast<const std::byte*>(text.data()), text.size()}));
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
    const auto found = std::ranges::find_if(operands_, [&](const Location& other) {
      return other.place == location.place && other.at == location.at;
    });
    const auto place = found - operands_.begin();
    if (found == operands_.end()) operands_.push_back(location);
    return fmt::format("p.at[{}]", place);
  }

  std::string functions_, calls_;
  std::map<std::string, std::string> names_;
  std::vector<Location> operands_;
  int64_t scratch_bytes_ = 0;
  size_t steps_ = 0;
};

}  // namespace

std::optional<MegaKernel> mega_kernel(const StepTable& lane, int64_t arena_bytes,
                                      const DeviceLimits& limits) {
  if (static_cast<size_t>(arena_bytes) > limits.shared_bytes_on_request ||
      lane.specs.size() > kMostSteps) {
    return {};
  }
  MegaSource source;
  for (size_t s = 0; s < lane.specs.size(); ++s) {
    const Location* operands = &lane.operands[static_cast<size_t>(lane.first_operand[s])];
    for (const StepKernel& kernel : kernels_of(lane.specs[s], kTeam)) source.add(kernel, operands);
  }
  const auto shared = static_cast<size_t>(arena_bytes + source.scratch_bytes() + 16);
  if (!source.fits() || shared > limits.shared_bytes_on_request ||
      static_cast<size_t>(source.scratch_bytes()) + 16 > limits.shared_bytes) {
    return {};
  }
  return source.kernel(arena_bytes);
}

}  // namespace outerloop::exec::cuda
