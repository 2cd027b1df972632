#pragma once
// Sums of float32 vectors on a device, in whatever order is asked for.

#include <memory>
#include <vector>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

// A sum is made on a stack: each vector in turn is put there, and then so many times the upper two
// make way for their sum, the lower one first. What is left at the end is one vector. A vector
// whose count is 0 is absent: the sum of the other one and it is the other one.
struct SumTerm {
  const float* data = nullptr;
  const float* count = nullptr;  // a number on the device
  int64_t additions = 0;
  bool operator==(const SumTerm&) const = default;
};

class VectorSums {
 public:
  static constexpr int64_t kDeepest = 32;  // vectors on the stack at once

  // So many sums, numbered from 0.
  VectorSums(std::shared_ptr<Device> device, size_t count);
  ~VectorSums();

  // Writes a sum to `total`, which may be one of the vectors; zeros where none is there. The sum of
  // the counts goes to `count`, where that is asked for: a number on the device that is none of
  // theirs. The terms are sent to the device when they are other ones than the last time. The
  // device must be done with the last run of this number.
  void run(const DeviceStream& stream, size_t number, std::span<const SumTerm> terms,
           std::span<float> total, float* count = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
