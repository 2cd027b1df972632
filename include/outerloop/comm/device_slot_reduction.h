#pragma once
// The sum over the slots of all ranks in the memory of their GPUs: SlotReduction by another
// transport. Shards, tree and bits are the same.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "outerloop/comm/device_ranks.h"
#include "outerloop/comm/exchange_plan.h"

namespace outerloop::comm {

// Two streams of their own, so that data can travel beside other work.
struct ReductionStreams {
  DeviceStream exchange = nullptr;
  DeviceStream gather = nullptr;
};

// Puts finish_tree(nodes, 0, sums.size(), sums), which is of the group, on the stream, as far as
// the nodes' counts are not 0 when it runs. The nodes may be gone then.
using FinishTree = std::function<void(size_t group, std::span<const SlotNode> nodes,
                                      std::span<float> sums, DeviceStream stream)>;
// Device memory for that many floats, aligned to a cache line.
using DeviceMemory = std::function<float*(int64_t elements)>;

class DeviceSlotReduction {
 public:
  // `groups`: element ranges, rising and without gaps from 0. They and the slots are the same on
  // all ranks.
  DeviceSlotReduction(DeviceRanks& ranks, std::span<const Range> groups,
                      const ReductionStreams& streams, FinishTree finish_tree);
  ~DeviceSlotReduction();
  DeviceSlotReduction(const DeviceSlotReduction&) = delete;
  DeviceSlotReduction& operator=(const DeviceSlotReduction&) = delete;

  // Deals the slots as SlotReduction does, when the streams have no work from here. `memory` is
  // asked once; what it gives is the reduction's until the next deal.
  void deal(std::span<const Range> slots, const DeviceMemory& memory);

  // Collective. Sends a group on its way once `ready`, a stream, has done what it was given so far.
  // `roots`: those of this rank's slots, by rising slot, merged as merge_siblings does, with data
  // and counts on the device, the counts side by side, which are the reduction's until finish().
  // Counts travel with the first group. Every group once, in one order on all ranks.
  void begin(size_t group, std::span<const SlotNode> roots, DeviceStream ready);
  // Collective, after all groups began. Puts the sums of all elements into `total`, zeros where no
  // slot counts. `total` must be in no other use once the streams of begin() are ready. `after`, a
  // stream, goes on when the sums are there. The host waits for nothing.
  void finish(std::span<float> total, DeviceStream after);
  // Collective, in place of finish(): nothing comes of it, and all groups may begin again.
  void drop(DeviceStream after);

 private:
  struct Group {
    std::vector<SlotNode> own;  // this rank's roots
    DeviceEvent exchanged = nullptr;
    bool begun = false;
  };

  // `later` goes on when `earlier` has done what it was given so far.
  void order(DeviceStream earlier, DeviceStream later);
  void end_round(DeviceStream last, DeviceStream after);

  DeviceRanks& ranks_;
  ReductionStreams streams_;
  FinishTree finish_tree_;
  ExchangePlan plan_;
  std::vector<Group> groups_;
  DeviceEvent ordered_;
  std::vector<float*> received_;  // by root of the other ranks: all own shards
  float* counts_ = nullptr;       // the same: how many slots count
  std::vector<size_t> begun_;     // groups, in the order in which they began
  std::vector<SlotNode> nodes_;   // of all ranks
  ExchangePlan::Pieces pieces_;
};

}  // namespace outerloop::comm
