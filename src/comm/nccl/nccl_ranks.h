#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/nccl/check.h"
#include "comm/nccl/roll_call.h"

namespace outerloop::comm {

class NcclRanks final : public DeviceRanks {
 public:
  // `context.comm` is connected, and this one's from now on.
  NcclRanks(Communicator& host, DeviceCalls& device, const NcclContext& context,
            const NcclOptions& options);
  ~NcclRanks() override;
  NcclRanks(const NcclRanks&) = delete;
  NcclRanks& operator=(const NcclRanks&) = delete;

  Communicator& host() override { return host_; }
  DeviceCalls& device() override { return device_; }
  void exchange(Label label, std::span<const Piece<const float>> sends,
                std::span<const Piece<float>> receives, DeviceStream stream) override;
  void all_gather_v(Label label, std::span<float> all, std::span<const int64_t> counts,
                    DeviceStream stream) override;
  void all_reduce_fast(Label label, std::span<float> values, DeviceStream stream) override;
  bool poll() override;
  void wait() override;
  void finish() override;
  void abandon() noexcept override;

 private:
  struct UnderWay {
    Collective call;
    DeviceEvent begun = nullptr;  // before it on its stream
    DeviceEvent done = nullptr;   // after it
    bool recorded = false;
  };

  // What becomes of collectives is in watch.cpp.
  Collective enter(Verb verb, Label label, Traffic traffic);
  // Calls NCCL inside a group, as one collective.
  void enqueue(const Collective& call, DeviceStream stream, const std::function<void()>& calls);

  // Errors of this rank and the others, and time that ran out.
  void look_after();
  void judge_error();
  void judge_time();
  void retire();  // what is done
  void wait_until(const std::function<bool()>& done);
  ncclResult_t state();
  bool settled() { return state() == ncclSuccess; }  // whether a call that returned early is done
  Collective place();                                // what this rank's GPU is in, or was last
  DeviceEvent free_event();
  // Lets nothing out but after the work on the GPU was aborted and the other ranks were told.
  void guarded(const std::function<void()>& body);
  // What another rank says of it, where a connection broke.
  std::optional<std::string> cause_elsewhere();
  void end(const std::string& failure, bool told) noexcept;

  Communicator& host_;
  DeviceCalls& device_;
  NcclContext context_;
  NcclOptions options_;
  RollCall roll_call_;
  std::deque<UnderWay> under_way_;  // in the order of the calls
  std::vector<DeviceEvent> free_events_;
  Collective done_;          // the last one that ended
  Clock::time_point moved_;  // when a collective ended, or a wait for one began
  bool waiting_ = false;     // the host is in wait_until()
  std::string failure_;      // not empty: why nothing more is possible
};

}  // namespace outerloop::comm
