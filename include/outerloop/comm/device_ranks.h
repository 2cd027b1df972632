#pragma once
// What ranks say to each other from the memory of their GPUs.
//
// Device memory is written as float* and spans that are passed on and never read here. The verbs
// are collective like a Communicator's, in one order with those of its host() on all ranks. They
// put their work on a stream and return; whether it is done, or failed, is told by poll() and
// wait(). Collectives enter the log of host() and count in its traffic, so that a Watchdog sees
// them too. One thread at a time uses the ranks and their host(), and its current device is the
// rank's GPU. Letters of host() belong to the device's ranks.

#include <cstdint>
#include <memory>
#include <span>

#include "outerloop/comm/communicator.h"

namespace outerloop::comm {

using DeviceStream = void*;  // a cudaStream_t
using DeviceEvent = void*;   // a cudaEvent_t

// The calls of the GPU's library that are needed here, given by the module that has it. Each throws
// where the device failed. The same thread calls them.
class DeviceCalls {
 public:
  virtual ~DeviceCalls() = default;
  virtual DeviceEvent make_event() = 0;
  virtual void free_event(DeviceEvent event) noexcept = 0;
  // The event stands for all work that the stream has by now.
  virtual void record(DeviceEvent event, DeviceStream stream) = 0;
  // Whether that work is done; true for an event that was never recorded.
  virtual bool reached(DeviceEvent event) = 0;
  // What the stream gets from now on waits for the event as recorded by now. The host does not.
  virtual void wait_for(DeviceStream stream, DeviceEvent event) = 0;
  // Copies to the host and back, after what the stream has by now; return when they are done.
  virtual void download(std::span<float> to, const float* from, DeviceStream stream) = 0;
  virtual void upload(float* to, std::span<const float> from, DeviceStream stream) = 0;
};

class DeviceRanks {
 public:
  virtual ~DeviceRanks() = default;

  virtual Communicator& host() = 0;
  virtual DeviceCalls& device() = 0;

  // The pieces between two ranks match in order. No pieces to oneself.
  virtual void exchange(Label label, std::span<const Piece<const float>> sends,
                        std::span<const Piece<float>> receives, DeviceStream stream) = 0;
  // Counts are elements by rank; parts lie behind each other in `all`, this rank's in its place.
  virtual void all_gather_v(Label label, std::span<float> all, std::span<const int64_t> counts,
                            DeviceStream stream) = 0;
  // The sum in whatever order the library takes: other bits for other rank counts.
  virtual void all_reduce_fast(Label label, std::span<float> values, DeviceStream stream) = 0;

  // Looks after what is under way without waiting; whether all of it is done. Throws when it failed
  // here or on another rank, or did not end in time: then the work is aborted on the GPU and every
  // later call throws the same.
  virtual bool poll() = 0;
  // Until all is done. Also for before long work without collectives: to a Watchdog, a rank is in
  // those that it has not seen the end of.
  virtual void wait() = 0;
  // All ranks together, when they are about to end. A destructor without it aborts.
  virtual void finish() = 0;
  // Ends what is under way, if anything is, so that its memory can go: for a rank that fails.
  virtual void abandon() noexcept = 0;
};

// Through the memory of the hosts, for GPUs that have no other way: the verbs are those of `host`,
// and are done when they return. Both outlive the ranks.
std::unique_ptr<DeviceRanks> through_host(Communicator& host, DeviceCalls& device);

}  // namespace outerloop::comm
