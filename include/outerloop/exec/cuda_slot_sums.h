#pragma once
// Sums over tasks that lie side by side on a device, in the fixed order of
// outerloop/comm/slot_tree.h. A task counts where its loss and its gradient are finite; the others
// are absent.

#include <memory>
#include <vector>

#include "outerloop/exec/device.h"

namespace outerloop::exec::cuda {

class SlotSums {
 public:
  // Of the tasks' gradients, `elements` floats each, whose parts are `parts` words.
  struct Tasks {
    std::vector<int> levels;  // the tasks are subtrees of 2^level ones, by rising slot
    int64_t elements = 0;
    int64_t parts = 0;
  };
  // Which sums there are.
  enum class Sums {
    of_subtrees,  // each by itself
    of_all,       // a subtree without a right sibling is its own parent
  };
  // Where the device has what goes in and comes out.
  struct Places {
    std::byte* gradients = nullptr;  // (tasks, elements)
    std::byte* losses = nullptr;     // (tasks,)
    std::byte* finite = nullptr;  // (tasks, parts) uint32: whether a part of a gradient is finite
    std::byte* counts = nullptr;  // (tasks,): 1 where a task counts, else 0
    // By sum: its elements, zeros where nothing counts, and how many tasks count.
    std::vector<std::byte*> sums, numbers;
  };

  // Throws BadInput where there are more tasks than a block can have in view.
  SlotSums(std::shared_ptr<Device> device, const Tasks& tasks, Sums sums);
  ~SlotSums();
  SlotSums(SlotSums&&) noexcept;

  // One launch.
  void run(const DeviceStream& stream, const Places& places);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::exec::cuda
