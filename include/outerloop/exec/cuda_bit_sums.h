#pragma once
// Hashes of float32 vectors on a device, part by part, from sums over their bits modulo 2^32.
//
// Word i of a part has way w = i mod 16. A way's words make two chains, of every other word. With
// a: the sum of a way's words, b: the sum of what the first chain adds up to after each of its
// words, plus three times that of the second, a hash is the sum over the ways of a (2 w + 1)
// 0x9E3779B1 + b (4 w + 2) 0x85EBCA6B.

#include <memory>
#include <vector>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

class BitSums {
 public:
  // Parts of a vector end at these elements, multiples of 16; the first begins at 0.
  BitSums(std::shared_ptr<Device> device, const std::vector<int64_t>& ends);
  ~BitSums();

  // Writes per lane and part one word each: the hash, and whether all elements are finite (1 or 0).
  void run(const DeviceStream& stream, int64_t lanes, const DeviceOperand& values,
           const DeviceOperand& hashes, const DeviceOperand& finite);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
