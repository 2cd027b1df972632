#include "outerloop/comm/local.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "outerloop/base/host_name.h"

namespace outerloop::comm {
namespace {

constexpr int kMostPending = 64;  // collectives that a rank may have under way at once

// A rank's part in one collective. Every other rank's part in it is met once; whoever comes later
// copies both ways.
struct Post {
  Collective call;  // sequence 0: free
  std::vector<Piece<const std::byte>> sends;
  std::vector<Piece<std::byte>> receives;
  int unmet = 0;  // other ranks that have not come
};

// Copies what `from` has for `to`; returns what does not fit together, or nothing.
std::optional<std::string> deliver(const Post& from, int sender, const Post& to, int receiver) {
  const auto refuse = [&](const std::string& what) {
    return fmt::format("rank {} is in {}, rank {} in {}: {}", sender, describe(from.call), receiver,
                       describe(to.call), what);
  };
  if (from.call.verb != to.call.verb || std::strcmp(from.call.label, to.call.label) != 0) {
    return refuse("all ranks must call the same");
  }
  auto target = to.receives.begin();
  const auto next_target = [&] {
    while (target != to.receives.end() && target->rank != sender) ++target;
    return target != to.receives.end();
  };
  for (const auto& piece : from.sends) {
    if (piece.rank != receiver) continue;
    if (!next_target()) return refuse("more is sent than expected");
    if (target->data.size() != piece.data.size()) {
      return refuse(
          fmt::format("{} bytes are sent, {} expected", piece.data.size(), target->data.size()));
    }
    if (!piece.data.empty()) {
      std::memcpy(target->data.data(), piece.data.data(), piece.data.size());
    }
    ++target;
  }
  if (next_target()) return refuse("less is sent than expected");
  return std::nullopt;
}

}  // namespace

struct LocalGroup::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Rank>> ranks;
  std::string mismatch;  // not empty: the program is wrong
  int gone = -1;         // the first rank that left; before all, one that failed
  std::string reason;
  bool failed = false;  // and some rank failed
};

class LocalGroup::Rank : public Communicator {
 public:
  Rank(State& state, int rank, const std::vector<std::string>& hosts)
      : Communicator(rank, hosts), state_(state), posts_(kMostPending) {
    for (Post& post : posts_) {
      post.sends.reserve(hosts.size());
      post.receives.reserve(hosts.size());
    }
  }

  [[noreturn]] void abort(int code) noexcept override { std::_Exit(code); }

 private:
  void do_barrier(const Collective& call) override {
    send_to_all({});
    receive_from_all({}, std::vector<int64_t>(static_cast<size_t>(size())));
    do_wait(do_start(call, sends_, receives_));
  }

  void do_broadcast(const Collective& call, std::span<std::byte> bytes, int root) override {
    sends_.clear();
    receives_.clear();
    if (rank() == root) {
      send_to_all(bytes);
    } else {
      receives_.push_back({root, bytes});
    }
    do_wait(do_start(call, sends_, receives_));
  }

  void do_all_gather(const Collective& call, std::span<std::byte> all,
                     std::span<const int64_t> counts) override {
    size_t begin = 0;
    for (int r = 0; r < rank(); ++r) begin += static_cast<size_t>(counts[static_cast<size_t>(r)]);
    send_to_all(all.subspan(begin, static_cast<size_t>(counts[static_cast<size_t>(rank())])));
    receive_from_all(all, counts);
    do_wait(do_start(call, sends_, receives_));
  }

  void do_all_reduce_fast(const Collective& call, std::span<float> values) override {
    std::vector<float> all(values.size() * static_cast<size_t>(size()));
    std::ranges::copy(values, all.begin() + static_cast<int64_t>(values.size()) * rank());
    const std::vector<int64_t> counts(static_cast<size_t>(size()),
                                      static_cast<int64_t>(values.size_bytes()));
    do_all_gather(call, std::as_writable_bytes(std::span(all)), counts);
    std::ranges::fill(values, 0.0f);
    for (auto part = all.cbegin(); part != all.cend(); part += std::ssize(values)) {
      std::transform(values.begin(), values.end(), part, values.begin(), std::plus<>());
    }
  }

  int do_start(const Collective& call, Sends sends, Receives receives) override {
    const std::lock_guard lock(state_.mutex);
    const auto free =
        std::ranges::find(posts_, uint64_t{0}, [](const Post& post) { return post.call.sequence; });
    OL_ASSERT(free != posts_.end(), fmt::format("more than {} pending collectives", kMostPending));
    free->call = call;
    free->sends.assign(sends.begin(), sends.end());
    free->receives.assign(receives.begin(), receives.end());
    free->unmet = size() - 1;
    for (const auto& other : state_.ranks) {
      if (other.get() != this) meet(*free, *other);
    }
    return static_cast<int>(free - posts_.begin());
  }

  void meet(Post& mine, Rank& other) {
    for (Post& theirs : other.posts_) {
      if (theirs.call.sequence != mine.call.sequence) continue;
      auto mismatch = deliver(mine, rank(), theirs, other.rank());
      if (!mismatch) mismatch = deliver(theirs, other.rank(), mine, rank());
      if (mismatch) state_.mismatch = *mismatch;
      --mine.unmet;
      if (--theirs.unmet == 0 || mismatch) state_.changed.notify_all();
    }
  }

  bool do_test(int ticket) override {
    const std::lock_guard lock(state_.mutex);
    return finished(posts_[static_cast<size_t>(ticket)]);
  }

  void do_wait(int ticket) override {
    std::unique_lock lock(state_.mutex);
    Post& post = posts_[static_cast<size_t>(ticket)];
    state_.changed.wait(lock, [&] { return finished(post); });
  }

  // Frees the post when it is; throws when it can never be.
  bool finished(Post& post) {
    if (!state_.mismatch.empty()) post.call.sequence = 0;
    OL_ASSERT(state_.mismatch.empty(), state_.mismatch);
    if (post.unmet == 0) {
      post.call.sequence = 0;
      return true;
    }
    if (state_.gone < 0) return false;
    const Collective call = std::exchange(post.call, Collective{});  // its memory is the caller's
    throw RankFailure(fmt::format("rank {} on {} left while rank {} was in {}: {}", state_.gone,
                                  hosts()[static_cast<size_t>(state_.gone)], rank(), describe(call),
                                  state_.reason));
  }

  void do_abandon(int ticket) noexcept override {
    const std::lock_guard lock(state_.mutex);
    posts_[static_cast<size_t>(ticket)].call.sequence = 0;
  }

  void do_post(int to, std::span<const std::byte> letter) override {
    const std::lock_guard lock(state_.mutex);
    auto& letters = state_.ranks[static_cast<size_t>(to)]->letters_;
    letters.push_back({rank(), {letter.begin(), letter.end()}});
  }

  std::optional<Letter> do_take() override {
    const std::lock_guard lock(state_.mutex);
    if (!letters_.empty()) {
      Letter letter = std::move(letters_.front());
      letters_.pop_front();
      return letter;
    }
    if (!state_.failed) return std::nullopt;
    throw RankFailure(
        fmt::format("a rank left while rank {} waited for letters: {}", rank(), state_.reason));
  }

  void send_to_all(std::span<const std::byte> bytes) {
    sends_.clear();
    for (int r = 0; r < size(); ++r) {
      if (r != rank()) sends_.push_back({r, bytes});
    }
  }

  void receive_from_all(std::span<std::byte> all, std::span<const int64_t> counts) {
    receives_.clear();
    size_t offset = 0;
    for (int r = 0; r < size(); ++r) {
      const auto count = static_cast<size_t>(counts[static_cast<size_t>(r)]);
      if (r != rank()) receives_.push_back({r, all.subspan(offset, count)});
      offset += count;
    }
  }

  State& state_;
  std::vector<Post> posts_;     // guarded by the group's mutex
  std::deque<Letter> letters_;  // arrived; guarded too
  std::vector<Piece<const std::byte>> sends_;
  std::vector<Piece<std::byte>> receives_;
};

LocalGroup::LocalGroup(int ranks, std::vector<std::string> hosts)
    : state_(std::make_unique<State>()) {
  if (hosts.empty()) hosts.assign(static_cast<size_t>(ranks), host_name());
  OL_ASSERT(ranks > 0 && hosts.size() == static_cast<size_t>(ranks), "one host name per rank");
  for (int r = 0; r < ranks; ++r) {
    state_->ranks.push_back(std::make_unique<Rank>(*state_, r, hosts));
  }
}

LocalGroup::~LocalGroup() = default;

Communicator& LocalGroup::rank(int rank) {
  return *state_->ranks.at(static_cast<size_t>(rank));
}

void LocalGroup::leave(int rank, const std::string& reason, bool failed) {
  const std::lock_guard lock(state_->mutex);
  if (state_->gone < 0 || (failed && !state_->failed)) {
    state_->gone = rank;
    state_->reason = reason;
  }
  state_->failed = state_->failed || failed;
  state_->changed.notify_all();
}

namespace {

struct Ending {
  std::exception_ptr error;
  bool of_its_own = false;
};

Ending run_body(LocalGroup& group, int rank, const std::function<void(Communicator&)>& body) {
  try {
    body(group.rank(rank));
    group.leave(rank, "it has ended", /*failed=*/false);
    return {};
  } catch (const RankFailure& error) {
    group.leave(rank, error.what());
    return {std::current_exception(), false};
  } catch (const std::exception& error) {
    group.leave(rank, error.what());
    return {std::current_exception(), true};
  }
}

}  // namespace

void run_ranks(const std::vector<std::string>& hosts,
               const std::function<void(Communicator&)>& body) {
  LocalGroup group(static_cast<int>(hosts.size()), hosts);
  std::vector<Ending> endings(hosts.size());
  {
    std::vector<std::jthread> threads;
    for (size_t r = 0; r < hosts.size(); ++r) {
      threads.emplace_back([&, r] { endings[r] = run_body(group, static_cast<int>(r), body); });
    }
  }
  const Ending* first = nullptr;
  for (const Ending& ending : endings) {
    if (!ending.error) continue;
    if (first == nullptr || (ending.of_its_own && !first->of_its_own)) first = &ending;
  }
  if (first != nullptr) std::rethrow_exception(first->error);
}

void run_ranks(int ranks, const std::function<void(Communicator&)>& body) {
  run_ranks(std::vector<std::string>(static_cast<size_t>(ranks), host_name()), body);
}

}  // namespace outerloop::comm
