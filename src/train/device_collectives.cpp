#include "outerloop/train/device_collectives.h"

#include <algorithm>

#include "outerloop/config/config.h"
#include "train/device_choice.h"
#include "train/device_connection.h"
#include "train/device_rank_sum.h"
#include "train/gradient_groups.h"
#include "train/slot_plan.h"

namespace outerloop::train {
namespace {

constexpr const char* kLinks = "all_to_all";

using Host = std::vector<float>;

// Floats of a device that are set to one value before each call.
class DeviceFloats {
 public:
  DeviceFloats(const DeviceState& state, int64_t elements, float value)
      : state_(state),
        bytes_(static_cast<size_t>(elements) * sizeof(float)),
        start_(state.device().allocate(bytes_)),
        now_(state.device().allocate(bytes_)) {
    const Host values(static_cast<size_t>(elements), value);
    state_.device().upload(state_.stream(), start_.data, std::as_bytes(std::span(values)));
    reset();
  }

  void reset() const {
    state_.device().copy(state_.stream(), now_.data, start_.data, bytes_);
    state_.device().synchronize(state_.stream());
  }
  std::span<float> span() const {
    return {reinterpret_cast<float*>(now_.data), bytes_ / sizeof(float)};
  }
  // Whether equal parts, one behind the other, hold these values, and the last elements others.
  bool holds(std::span<const float> values, std::span<const float> last = {}) const {
    Host host(bytes_ / sizeof(float));
    state_.device().download(state_.stream(), std::as_writable_bytes(std::span(host)), now_.data);
    state_.device().synchronize(state_.stream());
    if (!std::ranges::equal(std::span(host).last(last.size()), last)) return false;
    host.resize(host.size() - last.size());
    const size_t part = host.size() / values.size();
    for (size_t i = 0; i < host.size(); ++i) {
      if (host[i] != values[i / part]) return false;
    }
    return true;
  }

 private:
  const DeviceState& state_;
  size_t bytes_;
  exec::DeviceMemory start_, now_;
};

class Kinds {
 public:
  Kinds(comm::DeviceRanks& ranks, const DeviceState& state)
      : ranks_(ranks), state_(state), size_(ranks.host().size()), rank_(ranks.host().rank()) {}

  std::vector<comm::CollectiveKind> all() {
    return {{"ordered sum", 2, [this](int64_t n) { return ordered_sum(n); }},
            {"fast sum", 2, [this](int64_t n) { return fast_sum(n); }},
            {"all_gather", 1, [this](int64_t n) { return gather(n); }},
            {kLinks, 1, [this](int64_t n) { return exchange(n); }}};
  }

 private:
  std::shared_ptr<DeviceFloats> floats(int64_t elements, float value) const {
    return std::make_shared<DeviceFloats>(state_, elements, value);
  }
  float own() const { return static_cast<float>(rank_ + 1); }
  Host sum() const { return {static_cast<float>(size_ * (size_ + 1) / 2)}; }
  Host of_each_rank() const {
    Host values;
    for (int r = 0; r < size_; ++r) values.push_back(static_cast<float>(r + 1));
    return values;
  }
  int64_t part_of(int64_t elements) const { return std::max<int64_t>(elements / size_, 1); }
  comm::DeviceStream stream() const { return state_.stream().handle.get(); }

  comm::CollectiveCase ordered_sum(int64_t n) {
    const auto own_slot = floats(n, own()), total = floats(n + 1, 0), one = floats(1, 1);
    // As a training's: gradients travel in groups, and one is added up while others are under way.
    const std::vector<comm::Range> groups =
        dealt({0, n}, std::clamp<int64_t>(n / kLeastGroup, 1, kMostGroups));
    const auto reduction = std::make_shared<DeviceRankSum>(ranks_, state_, groups, total->span());
    reduction->deal(dealt({0, size_}, size_));
    const auto call = [=, this] {
      for (size_t g = 0; g < groups.size(); ++g) {
        const comm::SlotNode node{.index = rank_,
                                  .present = true,
                                  .data = own_slot->span().data(),
                                  .count = one->span().data()};
        reduction->begin(g, {&node, 1});
      }
      reduction->finish();
      end();
    };
    const Host ranks{static_cast<float>(size_)};
    return {[=] { own_slot->reset(); }, call, [=, this] { return total->holds(sum(), ranks); }};
  }

  comm::CollectiveCase fast_sum(int64_t n) {
    const auto values = floats(n, own());
    const auto call = [=, this] {
      ranks_.all_reduce_fast("bench", values->span(), stream());
      end();
    };
    return {[=] { values->reset(); }, call, [=, this] { return values->holds(sum()); }};
  }

  comm::CollectiveCase gather(int64_t n) {
    const int64_t part = part_of(n);
    const auto values = floats(part * size_, own());
    const std::vector<int64_t> counts(static_cast<size_t>(size_), part);
    const auto call = [=, this] {
      ranks_.all_gather_v("bench", values->span(), counts, stream());
      end();
    };
    return {[=] { values->reset(); }, call, [=, this] { return values->holds(of_each_rank()); }};
  }

  comm::CollectiveCase exchange(int64_t n) {
    const auto part = static_cast<size_t>(part_of(n));
    const auto sent = floats(part_of(n) * size_, own()), got = floats(part_of(n) * size_, own());
    const auto call = [=, this] {
      std::vector<comm::Piece<const float>> sends;
      std::vector<comm::Piece<float>> receives;
      for (int r = 0; r < size_; ++r) {
        if (r == rank_) continue;
        const size_t first = static_cast<size_t>(r) * part;
        sends.push_back({r, sent->span().subspan(first, part)});
        receives.push_back({r, got->span().subspan(first, part)});
      }
      ranks_.exchange("bench", sends, receives, stream());
      end();
    };
    return {[=] { got->reset(); }, call, [=, this] { return got->holds(of_each_rank()); }};
  }

  void end() {
    ranks_.wait();
    state_.device().synchronize(state_.stream());
  }

  comm::DeviceRanks& ranks_;
  const DeviceState& state_;
  int size_, rank_;
};

}  // namespace

double DeviceCollectives::fraction_of_bus(const std::string& what) const {
  const auto best = [&](const std::string& kind) {
    double most = 0;
    for (const comm::CollectiveSpeed& speed : speeds) {
      if (speed.what == kind) most = std::max(most, speed.busbw);
    }
    return most;
  };
  return best(what) / best(kLinks);
}

DeviceCollectives measure_device_collectives(comm::Communicator& ranks,
                                             const comm::CollectiveBench& options,
                                             std::shared_ptr<exec::Device> device) {
  if (!device) {
    config::Config config;
    config.runtime.device = config::Device::cuda;
    device = choose_device(config, &ranks);
  }
  DeviceConnection between(ranks, device, {});
  const DeviceState state(device, {.theta = Tensor(DType::f32, Shape{1})});
  DeviceCollectives result{
      .device = device->name(), .sums_by = between.way(), .note = between.note(), .speeds = {}};
  Kinds kinds(between.ranks(), state);
  result.speeds = comm::measure_collectives(ranks, kinds.all(), options);
  between.ranks().finish();
  return result;
}

}  // namespace outerloop::train
