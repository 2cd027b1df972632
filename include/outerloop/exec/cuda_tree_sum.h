#pragma once
// The sum of float32 rows on a device by the binary tree over their numbers: of two siblings the
// upper one is added to the lower one; a row that is absent, or behind the last, leaves its sibling
// as it is.

#include <memory>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

class TreeSum {
 public:
  TreeSum(std::shared_ptr<Device> device, int64_t rows, int64_t elements);
  ~TreeSum();
  TreeSum(TreeSum&&) noexcept;

  // `rows`: (rows, elements); `present`: (rows,), 0 where the row is absent. Writes `total`,
  // (elements,), which means nothing where all are. Can be recorded.
  void run(const DeviceStream& stream, std::byte* rows, std::byte* present, std::byte* total);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
