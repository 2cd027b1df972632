#pragma once
// The sum over the slots of all ranks, with the bits that finish_tree gives on one.
//
// Each rank has consecutive slots and merges them to the roots of its largest aligned subtrees, k
// of them. The elements are dealt to the ranks too: every rank sends the others their shards of its
// roots, finishes the tree over its own shard, and all gather the shards. With N elements and P
// ranks a rank sends about (k + 1) (P-1)/P 4N bytes: for k = 1, the volume of a ring.
//
// The elements come in groups, so that those whose gradients are final travel while the rest are
// computed.

#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/base/thread_pool.h"
#include "outerloop/comm/exchange_plan.h"
#include "outerloop/tensor/tensor.h"

namespace outerloop::comm {

class SlotReduction {
 public:
  // `groups`: element ranges, rising and without gaps from 0. Arguments are the same on all ranks.
  SlotReduction(Communicator& ranks, ThreadPool& pool, std::span<const Range> groups);

  // Deals the slots: one range per rank, rising and without gaps from 0; some may be empty, not
  // all. Only between finish() and begin(). Nothing else allocates in the long run.
  void deal(std::span<const Range> slots);

  // Collective. Sends a group on its way: `nodes` are those of this rank's slots by rising slot, in
  // any pieces (such as its threads'), final in the group's elements. Their data are merged here,
  // and stay the reduction's until finish(). Every group once, in one order on all ranks. Any
  // thread may call it, one at a time, from inside a run of the pool too.
  void begin(size_t group, std::span<const SlotNode> nodes);
  // Moves data along without waiting. For libraries that do so only inside calls.
  void poll();
  // Collective, after all groups began. Writes the sums of all elements to `total`, zeros where no
  // slot is present, and returns whether any is. `total` must not overlap any node's data.
  bool finish(std::span<float> total);
  // Collective, in place of finish(): nothing comes of it, and all groups may begin again.
  void drop();

  size_t bytes() const;  // of its buffers

 private:
  struct Group {
    std::vector<uint8_t> present;  // of all roots, by rank
    std::vector<SlotNode> own;     // this rank's roots
    Pending flags;
    Pending exchange;
    Pending gather;
    bool begun = false;
  };

  void finish_shard(size_t group, std::span<float> total);

  Communicator& ranks_;
  ThreadPool& pool_;
  ExchangePlan plan_;
  std::vector<Group> groups_;
  std::vector<Tensor> buffers_;   // by root of the other ranks: all own shards
  std::vector<float*> received_;  // these
  Tensor absent_;                 // goes where a root has no data
  std::vector<size_t> begun_;     // groups, in the order in which they began
  std::vector<SlotNode> nodes_;   // of all ranks
  ExchangePlan::Pieces pieces_;
};

}  // namespace outerloop::comm
