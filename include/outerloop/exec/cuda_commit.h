#pragma once
// What a step makes becomes the state where all of it is finite.

#include <memory>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

class Commit {
 public:
  // Of `elements` floats whose parts have `hashes` hashes. `flags`: words that say whether
  // something is finite.
  struct Sizes {
    int64_t elements = 0;
    int64_t hashes = 0;
    int64_t flags = 0;
  };
  struct Places {
    std::byte* flags = nullptr;        // (flags,) uint32
    std::byte* next = nullptr;         // (elements,)
    std::byte* next_hashes = nullptr;  // (hashes,) uint32
    std::byte* state = nullptr;        // as next, which it becomes where no flag is 0
    std::byte* hashes = nullptr;       // the same, as next_hashes
    std::byte* made = nullptr;         // (): 1 where it did, else 0
  };

  Commit(std::shared_ptr<Device> device, const Sizes& sizes);
  ~Commit();

  // One launch.
  void run(const DeviceStream& stream, const Places& places);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
