#pragma once
// The fixed-order sum over the slots of a meta-batch.
//
// The slots 0 … T-1 are the leaves of a binary tree: node i of level l covers the 2^l slots from
// i 2^l on and is the sum left + right of its children. A leaf that is left out (its gradient was
// not finite) or lies past T is absent: its parent is the other child. So the sum is a function of
// the slots' values alone, however they were dealt to threads and ranks.
//
// A worker that owns consecutive slots adds them in rising order and is left with the roots of the
// largest aligned subtrees it could finish, at most 2 log2(T). finish_tree() finishes the tree from
// the workers' nodes; since the sum is elementwise, each worker does so for its share of elements.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "outerloop/tensor/tensor.h"

namespace outerloop::comm {

struct SlotNode {
  int level = 0;
  int64_t index = 0;
  bool present = false;
  float* data = nullptr;  // `elements` floats, owned by the accumulator; null when absent
  // Of a node in a device's memory, where the host does not know what is absent: how many slots
  // below it count. Such a node is present and has data.
  const float* count = nullptr;
};

// Adds up consecutive slots of one worker. No allocation after construction.
class SlotAccumulator {
 public:
  // Room for the slots [first, end): as many partial sums as are ever there at once, log2(slots)
  // where the slots are a subtree.
  SlotAccumulator(int64_t elements, int64_t first, int64_t end);

  void clear();
  // Slots come in rising order without gaps.
  void add(int64_t slot, std::span<const float> leaf);
  void skip(int64_t slot);
  // add() in pieces: open() makes the slot's place among the nodes, then each element is added once
  // before the next slot comes. A node's elements are final where those of its last slot are added.
  void open(int64_t slot);
  void add_range(std::span<const float> leaf, int64_t begin, int64_t end);
  std::span<const SlotNode> nodes() const { return {nodes_.data(), nodes_.size()}; }
  size_t bytes() const;
  // What one made with these numbers holds.
  static size_t bytes(int64_t elements, int64_t first, int64_t end);

 private:
  float* take_buffer();

  int64_t elements_;
  std::vector<Tensor> buffers_;
  std::vector<float*> free_;
  std::vector<SlotNode> nodes_;  // by rising slot
  std::vector<float*> merged_;   // left siblings that the open slot is added to, the lowest first
};

// Adds up what siblings there are among `nodes` (by rising slot, without gaps) over the elements
// [begin, end): leaves the roots of the largest aligned subtrees in front and returns how many.
// Which they are depends on the slots alone. The nodes' data in the range is overwritten.
size_t merge_siblings(std::span<SlotNode> nodes, int64_t begin, int64_t end);

// The nodes that are left when the slots [first, end) are merged, without data.
std::vector<SlotNode> subtree_roots(int64_t first, int64_t end);

// Adds the nodes that are present to `total`, in their order, over the elements [begin, end).
void add_nodes(std::span<const SlotNode> nodes, int64_t begin, int64_t end, std::span<float> total);

// Finishes the tree over the elements [begin, end): writes the sum to `total` and returns whether
// any slot was present (if none, zeros are written). `nodes`: those of all workers by rising slot,
// together covering 0 … T-1, T at most 2^62; throws InternalError where they leave a gap or
// overlap. Any number of nodes: one per level is open at a time. Their data in the range is
// overwritten.
bool finish_tree(std::span<const SlotNode> nodes, int64_t begin, int64_t end,
                 std::span<float> total);

// One step of a sum that is made on a stack: `data` is put there, then so many times the upper two
// make way for their sum, the lower one first.
struct SumStep {
  const float* data = nullptr;
  const float* count = nullptr;  // of the node
  int64_t additions = 0;
};
// What finish_tree does, as such steps, for memory that the host cannot read; none where no slot is
// present.
void list_steps(std::span<const SlotNode> nodes, std::vector<SumStep>& steps);

}  // namespace outerloop::comm
