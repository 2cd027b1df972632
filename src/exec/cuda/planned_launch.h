#pragma once
// The steps of a plan as launches: kernels, and products that a library makes.

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/cuda/mega.h"
#include "exec/cuda/source.h"
#include "exec/plan/program_plan.h"
#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// With its operands as locations.
struct PlannedLaunch {
  std::optional<DeviceProduct> product;  // a library's, of A, B and C; else:
  size_t function = 0;                   // a kernel by its place in the list
  int64_t blocks = 0;                    // per lane; of a product 1 for each matrix
  int threads = 0;
  std::vector<Location> operands;
};

// Kernels of a program, equal ones once.
class KernelList {
 public:
  // `multiplies`: as that of the device.
  explicit KernelList(bool multiplies) : multiplies_(multiplies) {}

  // The arena of the table grows by room for products whose epilogue is a kernel of its own.
  std::vector<PlannedLaunch> launches(const StepTable& table, Place arena, int64_t& arena_bytes);
  std::vector<PlannedLaunch> launches(MegaKernel whole);

  const std::vector<KernelSource>& sources() const { return sources_; }

 private:
  size_t add(KernelSource source);
  PlannedLaunch kernel(const StepKernel& kernel, const std::vector<Location>& operands);
  void add_product(const MatmulSpec& spec, const DeviceProduct& product, const Location* operands,
                   const Location& room, std::vector<PlannedLaunch>& launches);

  bool multiplies_;
  std::vector<KernelSource> sources_;
  std::unordered_map<std::string, size_t> places_;
};

}  // namespace outerloop::exec::cuda
