#pragma once
// Sums over the bits of float32 vectors on a device, from which hashes are made.
//
// Word i of a vector belongs to place i mod 16. A place has two sums modulo 2^32, as Fletcher's
// checksum: a = Σ w_i over its words in part, and b = Σ of a after each of them.

#include <memory>
#include <vector>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

class BitSums {
 public:
  // Parts of a vector end at these elements, multiples of 16; the first begins at 0.
  BitSums(std::shared_ptr<Device> device, const std::vector<int64_t>& ends);
  ~BitSums();

  // Per lane and part 32 words modulo 2^32, by place i mod 16 of a word: the sums of the words,
  // then the sums of these sums.
  void run(const DeviceStream& stream, int64_t lanes, const DeviceOperand& values,
           const DeviceOperand& sums);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
