#include "comm/nccl/nccl_ranks.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace outerloop::comm {
namespace {

cudaStream_t cuda(DeviceStream stream) {
  return static_cast<cudaStream_t>(stream);
}

template <class T>
int64_t bytes_of(std::span<const Piece<T>> pieces) {
  int64_t sum = 0;
  for (const Piece<T>& piece : pieces) sum += static_cast<int64_t>(piece.data.size_bytes());
  return sum;
}

}  // namespace

NcclRanks::NcclRanks(Communicator& host, DeviceCalls& device, const NcclContext& context,
                     const NcclOptions& options)
    : host_(host),
      device_(device),
      context_(context),
      options_(options),
      roll_call_(host),
      done_(host.log().last()),
      moved_(Clock::now()) {}

NcclRanks::~NcclRanks() {
  end("the ranks have ended", true);
  for (const UnderWay& under_way : under_way_) {
    device_.free_event(under_way.begun);
    device_.free_event(under_way.done);
  }
  for (const DeviceEvent event : free_events_) device_.free_event(event);
}

void NcclRanks::exchange(Label label, std::span<const Piece<const float>> sends,
                         std::span<const Piece<float>> receives, DeviceStream stream) {
  const Collective call =
      enter(Verb::all_to_all, label, {bytes_of<const float>(sends), bytes_of<float>(receives)});
  enqueue(call, stream, [&] {
    for (const auto& [rank, data] : sends) {
      if (data.empty()) continue;
      OL_NCCL(context_,
              ncclSend(data.data(), data.size(), ncclFloat32, rank, context_.comm, cuda(stream)));
    }
    for (const auto& [rank, data] : receives) {
      if (data.empty()) continue;
      OL_NCCL(context_,
              ncclRecv(data.data(), data.size(), ncclFloat32, rank, context_.comm, cuda(stream)));
    }
  });
}

void NcclRanks::all_gather_v(Label label, std::span<float> all, std::span<const int64_t> counts,
                             DeviceStream stream) {
  OL_ASSERT(std::ssize(counts) == host_.size() &&
                std::accumulate(counts.begin(), counts.end(), int64_t{0}) == std::ssize(all),
            fmt::format("{} counts of {} elements for {} ranks", counts.size(), all.size(),
                        host_.size()));
  const auto each = static_cast<int64_t>(sizeof(float));
  const int64_t own = counts[static_cast<size_t>(host_.rank())];
  const Collective call = enter(Verb::all_gather, label,
                                {own * each * (host_.size() - 1), (std::ssize(all) - own) * each});
  // Equal parts go by the library's own algorithm, which on several hosts sends least between them.
  const bool equal = std::ranges::adjacent_find(counts, std::not_equal_to<>()) == counts.end();
  enqueue(call, stream, [&] {
    if (equal) {
      OL_NCCL(context_,
              ncclAllGather(all.data() + own * host_.rank(), all.data(), static_cast<size_t>(own),
                            ncclFloat32, context_.comm, cuda(stream)));
      return;
    }
    float* part = all.data();
    for (int r = 0; r < host_.size(); ++r) {
      const auto count = static_cast<size_t>(counts[static_cast<size_t>(r)]);
      if (count == 0) continue;
      OL_NCCL(context_,
              ncclBroadcast(part, part, count, ncclFloat32, r, context_.comm, cuda(stream)));
      part += count;
    }
  });
}

void NcclRanks::all_reduce_fast(Label label, std::span<float> values, DeviceStream stream) {
  const auto bytes = static_cast<int64_t>(values.size_bytes());
  const int64_t ring = 2 * (host_.size() - 1) * bytes / host_.size();
  const Collective call = enter(Verb::all_reduce_fast, label, {ring, ring});
  enqueue(call, stream, [&] {
    OL_NCCL(context_, ncclAllReduce(values.data(), values.data(), values.size(), ncclFloat32,
                                    ncclSum, context_.comm, cuda(stream)));
  });
}

Collective NcclRanks::enter(Verb verb, Label label, Traffic traffic) {
  poll();
  return {host_.enter_beside(verb, label, traffic), verb, label.text(), traffic.sent};
}

void NcclRanks::enqueue(const Collective& call, DeviceStream stream,
                        const std::function<void()>& calls) {
  guarded([&] {
    if (under_way_.empty()) moved_ = Clock::now();  // the rest counts from what ended last
    under_way_.push_back({.call = call, .begun = free_event(), .done = free_event()});
    device_.record(under_way_.back().begun, stream);
    OL_NCCL(context_, ncclGroupStart());
    try {
      calls();
    } catch (const NcclError&) {
      context_.library.ncclGroupEnd();  // it fails like the call in it
      throw;
    }
    OL_NCCL(context_, ncclGroupEnd());
    // Until then the stream may not have the work.
    wait_until([this] { return settled(); });
    device_.record(under_way_.back().done, stream);
    under_way_.back().recorded = true;
  });
}

DeviceEvent NcclRanks::free_event() {
  if (free_events_.empty()) return device_.make_event();
  const DeviceEvent event = free_events_.back();
  free_events_.pop_back();
  return event;
}

void NcclRanks::abandon() noexcept {
  if (!under_way_.empty()) end("the ranks have ended", true);
}

void NcclRanks::finish() {
  wait();
  guarded([&] { OL_NCCL(context_, ncclCommFinalize(context_.comm)); });
  wait_until([this] { return settled(); });
  guarded([&] { OL_NCCL(context_, ncclCommDestroy(context_.comm)); });
  context_.comm = nullptr;
  failure_ = "the ranks have finished";
}

}  // namespace outerloop::comm
