#pragma once
// A device of fake streams, whose memory is the host's.

#include <algorithm>

#include "outerloop/comm/device_ranks.h"
#include "support/fake_stream.h"

namespace outerloop::comm {

using testing_support::FakeStream;

class FakeDevice final : public DeviceCalls {
 public:
  DeviceEvent make_event() override { return new testing_support::FakeEvent(); }
  void free_event(DeviceEvent event) noexcept override { delete &event_of(event); }
  void record(DeviceEvent event, DeviceStream stream) override {
    stream_of(stream).push(event_of(event).record());
  }
  bool reached(DeviceEvent event) override { return event_of(event).reached(); }
  void wait_for(DeviceStream stream, DeviceEvent event) override {
    stream_of(stream).push(event_of(event).wait());
  }
  void download(std::span<float> to, const float* from, DeviceStream stream) override {
    stream_of(stream).drain();
    std::copy_n(from, to.size(), to.begin());
  }
  void upload(float* to, std::span<const float> from, DeviceStream stream) override {
    stream_of(stream).drain();
    std::ranges::copy(from, to);
  }

 private:
  static testing_support::FakeEvent& event_of(DeviceEvent event) {
    return *static_cast<testing_support::FakeEvent*>(event);
  }
  static FakeStream& stream_of(DeviceStream stream) { return *static_cast<FakeStream*>(stream); }
};

}  // namespace outerloop::comm
