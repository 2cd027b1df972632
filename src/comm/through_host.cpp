#include <vector>

#include "outerloop/comm/device_ranks.h"

namespace outerloop::comm {
namespace {

class ThroughHost final : public DeviceRanks {
 public:
  ThroughHost(Communicator& host, DeviceCalls& device) : host_(host), device_(device) {}

  Communicator& host() override { return host_; }
  DeviceCalls& device() override { return device_; }

  void exchange(Label label, std::span<const Piece<const float>> sends,
                std::span<const Piece<float>> receives, DeviceStream stream) override {
    sends_.clear();
    receives_.clear();
    float* place = room_for(total_of(sends) + total_of(receives)).data();
    for (const auto& [rank, data] : sends) {
      const std::span<float> copy(place, data.size());
      device_.download(copy, data.data(), stream);
      sends_.push_back({rank, copy});
      place += data.size();
    }
    for (const auto& [rank, data] : receives) {
      receives_.push_back({rank, {place, data.size()}});
      place += data.size();
    }
    host_.start_exchange<float>(label, sends_, receives_).wait();
    for (size_t i = 0; i < receives.size(); ++i) {
      device_.upload(receives[i].data.data(), receives_[i].data, stream);
    }
  }

  void all_gather_v(Label label, std::span<float> all, std::span<const int64_t> counts,
                    DeviceStream stream) override {
    const auto rank = static_cast<size_t>(host_.rank());
    int64_t first = 0;
    for (size_t r = 0; r < rank; ++r) first += counts[r];
    const std::span<float> copy = room_for(all.size());
    const auto own = copy.subspan(static_cast<size_t>(first), static_cast<size_t>(counts[rank]));
    device_.download(own, all.data() + first, stream);
    host_.all_gather_v(label, own, copy, counts);
    device_.upload(all.data(), copy, stream);
  }

  void all_reduce_fast(Label label, std::span<float> values, DeviceStream stream) override {
    const std::span<float> copy = room_for(values.size());
    device_.download(copy, values.data(), stream);
    host_.all_reduce_fast(label, copy);
    device_.upload(values.data(), copy, stream);
  }

  bool poll() override { return true; }
  void wait() override {}
  void finish() override {}
  void abandon() noexcept override {}

 private:
  template <class T>
  static size_t total_of(std::span<const Piece<T>> pieces) {
    size_t sum = 0;
    for (const Piece<T>& piece : pieces) sum += piece.data.size();
    return sum;
  }
  std::span<float> room_for(size_t elements) {
    if (room_.size() < elements) room_.resize(elements);
    return std::span(room_).first(elements);
  }

  Communicator& host_;
  DeviceCalls& device_;
  std::vector<float> room_;
  std::vector<Piece<const float>> sends_;  // in it
  std::vector<Piece<float>> receives_;
};

}  // namespace

std::unique_ptr<DeviceRanks> through_host(Communicator& host, DeviceCalls& device) {
  return std::make_unique<ThroughHost>(host, device);
}

}  // namespace outerloop::comm
