#include "outerloop/comm/communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace outerloop::comm {
namespace {

int64_t sum_of(std::span<const int64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

void check_size(const char* what, std::span<const int64_t> counts, int ranks, size_t bytes) {
  OL_ASSERT(counts.size() == static_cast<size_t>(ranks) &&
                sum_of(counts) == static_cast<int64_t>(bytes) && std::ranges::min(counts) >= 0,
            fmt::format("{} counts for {} ranks sum to {} bytes, the {} span has {}", counts.size(),
                        ranks, sum_of(counts), what, bytes));
}

template <class T>
T combine(T a, T b, Reduction reduction) {
  switch (reduction) {
    case Reduction::min:
      return std::min(a, b);
    case Reduction::max:
      return std::max(a, b);
    case Reduction::sum:
      return a + b;
  }
  OL_ASSERT(false, "an unknown reduction");
}

}  // namespace

Pending& Pending::operator=(Pending&& other) noexcept {
  if (this != &other) {
    if (owner_ != nullptr) owner_->do_abandon(ticket_);
    owner_ = std::exchange(other.owner_, nullptr);
    ticket_ = other.ticket_;
    sequence_ = other.sequence_;
  }
  return *this;
}

Pending::~Pending() {
  if (owner_ != nullptr) owner_->do_abandon(ticket_);
}

bool Pending::test() {
  if (owner_ == nullptr) return true;
  if (!owner_->do_test(ticket_)) return false;
  std::exchange(owner_, nullptr)->log_.leave(sequence_);
  return true;
}

void Pending::wait() {
  if (owner_ == nullptr) return;
  owner_->do_wait(ticket_);
  std::exchange(owner_, nullptr)->log_.leave(sequence_);
}

Communicator::Communicator(int rank, std::vector<std::string> hosts)
    : rank_(rank), size_(static_cast<int>(hosts.size())), hosts_(std::move(hosts)) {}

Collective Communicator::enter(Verb verb, Label label, Traffic traffic) {
  Traffic& sum = traffic_[static_cast<size_t>(verb)];
  sum.sent += traffic.sent;
  sum.received += traffic.received;
  return {log_.enter(verb, label, traffic.sent), verb, label.text(), traffic.sent};
}

void Communicator::barrier(Label label) {
  const Collective call = enter(Verb::barrier, label, {});
  do_barrier(call);
  log_.leave(call.sequence);
}

void Communicator::broadcast_bytes(Label label, std::span<std::byte> bytes, int root) {
  OL_ASSERT(root >= 0 && root < size_, fmt::format("root {} of {} ranks", root, size_));
  const auto count = static_cast<int64_t>(bytes.size());
  const Collective call = enter(
      Verb::broadcast, label, rank_ == root ? Traffic{count * (size_ - 1), 0} : Traffic{0, count});
  do_broadcast(call, bytes, root);
  log_.leave(call.sequence);
}

// Copies `mine` to its place, unless it is there, and returns where that starts.
int64_t Communicator::put_own_part(std::span<const std::byte> mine, std::span<std::byte> all) {
  check_size("gathered", counts_, size_, all.size());
  const int64_t begin = sum_of(std::span(counts_).first(static_cast<size_t>(rank_)));
  OL_ASSERT(static_cast<int64_t>(mine.size()) == counts_[static_cast<size_t>(rank_)],
            fmt::format("rank {} gives {} bytes and said {}", rank_, mine.size(),
                        counts_[static_cast<size_t>(rank_)]));
  std::byte* place = all.data() + begin;
  if (!mine.empty() && place != mine.data()) std::memcpy(place, mine.data(), mine.size());
  return begin;
}

void Communicator::all_gather_bytes(Label label, std::span<const std::byte> mine,
                                    std::span<std::byte> all) {
  put_own_part(mine, all);
  const auto own = static_cast<int64_t>(mine.size());
  const Collective call =
      enter(Verb::all_gather, label, {own * (size_ - 1), static_cast<int64_t>(all.size()) - own});
  do_all_gather(call, all, counts_);
  log_.leave(call.sequence);
}

Pending Communicator::start_all_gather_bytes(Label label, std::span<const std::byte> mine,
                                             std::span<std::byte> all) {
  const int64_t begin = put_own_part(mine, all);
  const std::span<const std::byte> own = all.subspan(static_cast<size_t>(begin), mine.size());
  sends_.clear();
  receives_.clear();
  for (int i = 1; i < size_; ++i) sends_.push_back({(rank_ + i) % size_, own});
  size_t offset = 0;
  for (int r = 0; r < size_; ++r) {
    const auto count = static_cast<size_t>(counts_[static_cast<size_t>(r)]);
    if (r != rank_) receives_.push_back({r, all.subspan(offset, count)});
    offset += count;
  }
  return start(Verb::all_gather, label);
}

Pending Communicator::start_all_to_all_bytes(Label label, std::span<const std::byte> send,
                                             std::span<std::byte> receive) {
  check_size("sent", counts_, size_, send.size());
  check_size("received", receive_counts_, size_, receive.size());
  sends_.clear();
  receives_.clear();
  size_t from = 0;
  size_t to = 0;
  for (int r = 0; r < size_; ++r) {
    const auto outgoing = send.subspan(from, static_cast<size_t>(counts_[static_cast<size_t>(r)]));
    const auto incoming =
        receive.subspan(to, static_cast<size_t>(receive_counts_[static_cast<size_t>(r)]));
    from += outgoing.size();
    to += incoming.size();
    if (r != rank_) {
      sends_.push_back({r, outgoing});
      receives_.push_back({r, incoming});
      continue;
    }
    OL_ASSERT(outgoing.size() == incoming.size(),
              fmt::format("rank {} sends itself {} bytes and expects {}", r, outgoing.size(),
                          incoming.size()));
    if (!outgoing.empty()) std::memcpy(incoming.data(), outgoing.data(), outgoing.size());
  }
  // Not all to rank 0 at once.
  std::ranges::rotate(sends_, sends_.begin() + rank_);
  return start(Verb::all_to_all, label);
}

Pending Communicator::start(Verb verb, Label label) {
  Traffic traffic;
  const auto check = [this](int rank) {
    OL_ASSERT(rank >= 0 && rank < size_ && rank != rank_,
              fmt::format("rank {} of {} exchanges with rank {}", rank_, size_, rank));
  };
  for (const auto& piece : sends_) {
    check(piece.rank);
    traffic.sent += static_cast<int64_t>(piece.data.size());
  }
  for (const auto& piece : receives_) {
    check(piece.rank);
    traffic.received += static_cast<int64_t>(piece.data.size());
  }
  const Collective call = enter(verb, label, traffic);
  return {this, do_start(call, sends_, receives_), call.sequence};
}

void Communicator::post(int to, std::span<const std::byte> letter) {
  constexpr size_t kMost = size_t{1} << 30;
  OL_ASSERT(
      to >= 0 && to < size_ && to != rank_ && letter.size() <= kMost,
      fmt::format("rank {} of {} posts {} bytes to rank {}", rank_, size_, letter.size(), to));
  do_post(to, letter);
}

template <class T>
void Communicator::reduce_in_order(Label label, std::span<T> values, Reduction reduction) {
  const size_t each = values.size_bytes();
  const auto ranks = static_cast<size_t>(size_);
  gathered_.resize(ranks * each);
  counts_.assign(ranks, static_cast<int64_t>(each));
  put_own_part(std::as_bytes(values), gathered_);
  const auto others = static_cast<int64_t>(each) * (size_ - 1);
  const Collective call = enter(Verb::all_reduce, label, {others, others});
  do_all_gather(call, gathered_, counts_);
  log_.leave(call.sequence);
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t r = 0; r < ranks; ++r) {
      T value;
      std::memcpy(&value, gathered_.data() + r * each + i * sizeof(T), sizeof(T));
      values[i] = r == 0 ? value : combine(values[i], value, reduction);
    }
  }
}

void Communicator::all_reduce(Label label, std::span<int64_t> values, Reduction reduction) {
  reduce_in_order(label, values, reduction);
}

void Communicator::all_reduce(Label label, std::span<double> values, Reduction reduction) {
  reduce_in_order(label, values, reduction);
}

void Communicator::all_reduce_fast(Label label, std::span<float> values) {
  const auto bytes = static_cast<int64_t>(values.size_bytes());
  const int64_t ring = 2 * (size_ - 1) * bytes / size_;
  const Collective call = enter(Verb::all_reduce_fast, label, {ring, ring});
  do_all_reduce_fast(call, values);
  log_.leave(call.sequence);
}

}  // namespace outerloop::comm
