#pragma once
// Ranks with one NVIDIA GPU each, through NCCL.
//
// A DeviceSlotReduction over them gives the bits of SlotReduction, whatever the number of ranks,
// their placement, NCCL's version and the algorithms it picks: NCCL only moves data, and the sums
// are made by the slots' tree. all_reduce_fast gives that up: NCCL adds in an order of its own,
// which changes with the number of ranks, the topology and the size of the message. All ranks get
// the same bits from both.
//
// The library is loaded when it is first asked for: the file that the variable OUTERLOOP_NCCL
// names, or that of the options. A program without GPUs needs none, and ranks that cannot use one
// say so and take the way through_host().

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "outerloop/base/error.h"
#include "outerloop/comm/device_ranks.h"

namespace outerloop::comm {

// An NCCL call failed: says which, on which rank and where. Or there is no library to be used.
class NcclError : public SystemFailure {
 public:
  using SystemFailure::SystemFailure;
};

// The file that OUTERLOOP_NCCL names; empty: none.
std::string nccl_of_environment();

struct NcclOptions {
  std::string library = "libnccl.so.2";       // where none is named
  std::string named = nccl_of_environment();  // must be one that can be used
  std::chrono::milliseconds connect{60'000};  // for all ranks to find each other
  // Without progress in a collective for so long, the run ends. Longer than any work between two
  // collectives, and than what a stream has to do before one; and longer than a Watchdog's, which
  // also knows of ranks that do not answer here.
  std::chrono::milliseconds stall{660'000};
  // For the other ranks to say where they are, once a rank ran out of time.
  std::chrono::milliseconds answer{5'000};
};

struct NcclConnection {
  std::unique_ptr<DeviceRanks> ranks;  // null: two ranks share a GPU, or one finds no library
  std::string note;                    // then, in a line for people
  std::string version;                 // else, "2.28.9"
};

// Collective over `host`, which outlives the connection, as `device` does. `gpu`: what tells this
// rank's GPU from all others, such as its UUID; it is the thread's current device. When it fails on
// any rank, all throw AgreedFailure (AgreedBadInput where their libraries differ, or where that
// named on any rank cannot be used, also by a build without NCCL).
NcclConnection connect_nccl(Communicator& host, DeviceCalls& device, std::string_view gpu,
                            const NcclOptions& options = {});

// Of the library: "2.28.9". Throws NcclError where there is none, BadInput where that named cannot
// be used.
std::string nccl_version(const NcclOptions& options = {});

}  // namespace outerloop::comm
