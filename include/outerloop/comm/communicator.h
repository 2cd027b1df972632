#pragma once
// What ranks say to each other.
//
// One Communicator per rank, used by one thread at a time. Every verb but post and take is
// collective: all ranks call the same verbs with fitting sizes in the same order, the starts of
// non-blocking forms included; empty spans are fine. A label says what the call is for, in messages
// about ranks that are stuck. Counts are elements, per rank in rank order, and parts lie behind
// each other in that order.
//
// Where ranks are threads, a verb throws RankFailure when another rank failed or ended, so that
// this one cannot go on. Where they are processes, a rank that fails calls abort().

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/comm/collective_log.h"

namespace outerloop::comm {

class RankFailure : public SystemFailure {
 public:
  using SystemFailure::SystemFailure;
};

enum class Reduction { min, max, sum };

// A part of a message: what goes to, or comes from, another rank.
template <class T>
struct Piece {
  int rank;
  std::span<T> data;
};

// Bytes of one verb so far, as if every rank sent straight to its addressees (all_reduce_fast: as a
// ring does). What a rank keeps for itself does not count.
struct Traffic {
  int64_t sent = 0;
  int64_t received = 0;
  bool operator==(const Traffic&) const = default;
};

// A message outside the collectives.
struct Letter {
  int from = 0;
  std::vector<std::byte> bytes;
};

class Communicator;

// A collective under way: its buffers belong to it until wait() returns or test() says true.
// Dropping it unfinished is for a rank that fails; nothing collective can follow.
class Pending {
 public:
  Pending() = default;
  Pending(Pending&& other) noexcept { *this = std::move(other); }
  Pending& operator=(Pending&& other) noexcept;
  ~Pending();

  bool done() const { return owner_ == nullptr; }
  // Moves data along without waiting; whether it is done.
  bool test();
  void wait();

 private:
  friend class Communicator;
  Pending(Communicator* owner, int ticket, uint64_t sequence)
      : owner_(owner), ticket_(ticket), sequence_(sequence) {}

  Communicator* owner_ = nullptr;  // null: done
  int ticket_ = 0;
  uint64_t sequence_ = 0;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  // Name of each rank's host.
  const std::vector<std::string>& hosts() const { return hosts_; }
  const CollectiveLog& log() const { return log_; }
  Traffic traffic(Verb verb) const { return traffic_[static_cast<size_t>(verb)]; }

  void barrier(Label label);

  template <class T>
  void broadcast(Label label, std::span<T> values, int root) {
    broadcast_bytes(label, bytes_of(values), root);
  }

  // `mine` of every rank, all of one size. It may be its own place in `all`.
  template <class T>
  void all_gather(Label label, std::span<const std::type_identity_t<T>> mine, std::span<T> all) {
    counts_.assign(static_cast<size_t>(size_), static_cast<int64_t>(mine.size_bytes()));
    all_gather_bytes(label, std::as_bytes(mine), bytes_of(all));
  }
  // `mine` of every rank; all ranks know all sizes.
  template <class T>
  void all_gather_v(Label label, std::span<const std::type_identity_t<T>> mine, std::span<T> all,
                    std::span<const int64_t> counts) {
    set_counts<T>(counts);
    all_gather_bytes(label, std::as_bytes(mine), bytes_of(all));
  }
  template <class T>
  [[nodiscard]] Pending start_all_gather_v(Label label,
                                           std::span<const std::type_identity_t<T>> mine,
                                           std::span<T> all, std::span<const int64_t> counts) {
    set_counts<T>(counts);
    return start_all_gather_bytes(label, std::as_bytes(mine), bytes_of(all));
  }

  // Part r of `send` goes to rank r; part r of `receive` comes from it.
  template <class T>
  void all_to_all_v(Label label, std::span<const std::type_identity_t<T>> send,
                    std::span<const int64_t> send_counts, std::span<T> receive,
                    std::span<const int64_t> receive_counts) {
    start_all_to_all_v(label, send, send_counts, receive, receive_counts).wait();
  }
  template <class T>
  [[nodiscard]] Pending start_all_to_all_v(Label label,
                                           std::span<const std::type_identity_t<T>> send,
                                           std::span<const int64_t> send_counts,
                                           std::span<T> receive,
                                           std::span<const int64_t> receive_counts) {
    set_counts<T>(send_counts);
    receive_counts_.swap(counts_);
    set_counts<T>(receive_counts);
    receive_counts_.swap(counts_);
    return start_all_to_all_bytes(label, std::as_bytes(send), bytes_of(receive));
  }
  // The same from and to scattered memory: the pieces between two ranks match in order. No pieces
  // to oneself.
  template <class T>
  [[nodiscard]] Pending start_exchange(Label label, std::span<const Piece<const T>> sends,
                                       std::span<const Piece<T>> receives) {
    sends_.clear();
    receives_.clear();
    for (const Piece<const T>& p : sends) sends_.push_back({p.rank, std::as_bytes(p.data)});
    for (const Piece<T>& p : receives) receives_.push_back({p.rank, bytes_of(p.data)});
    return start(Verb::all_to_all, label);
  }

  // Elementwise over the ranks in rising order, so every rank gets the same bits in every run. For
  // a few numbers: each rank's go to every other.
  void all_reduce(Label label, std::span<int64_t> values, Reduction reduction);
  void all_reduce(Label label, std::span<double> values, Reduction reduction);
  // The sum in whatever order the library takes: other bits for other rank counts.
  void all_reduce_fast(Label label, std::span<float> values);

  // Letters, for work that ranks do not do in step. They and the collectives do not disturb each
  // other. Those between two ranks arrive in order; all must be taken before the ranks end.
  //
  // Sends one to another rank, of at most a GiB, and returns at once whether or not anybody waits.
  void post(int to, std::span<const std::byte> letter);
  // The next one that has arrived, from any rank; nothing when none has. To be called again and
  // again also by a rank that only posts: it moves letters along. Where ranks are threads and
  // another one failed, throws RankFailure when none has arrived.
  std::optional<Letter> take() { return do_take(); }

  // For collectives of the same ranks through another library, which have their places in this log
  // and count here too: also called by all ranks in the same order. Returns the sequence number.
  uint64_t enter_beside(Verb verb, Label label, Traffic traffic) {
    return enter(verb, label, traffic).sequence;
  }
  void leave_beside(uint64_t sequence) { log_.leave(sequence); }

  // Ends all ranks' processes at once with that exit code, for a rank that fails alone.
  [[noreturn]] virtual void abort(int code) noexcept = 0;

 protected:
  Communicator(int rank, std::vector<std::string> hosts);
  void set_hosts(std::vector<std::string> hosts) { hosts_ = std::move(hosts); }

  using Sends = std::span<const Piece<const std::byte>>;
  using Receives = std::span<const Piece<std::byte>>;

 private:
  friend class Pending;

  // Sizes are bytes. This rank's part already lies in its place in `all`.
  virtual void do_barrier(const Collective& call) = 0;
  virtual void do_broadcast(const Collective& call, std::span<std::byte> bytes, int root) = 0;
  virtual void do_all_gather(const Collective& call, std::span<std::byte> all,
                             std::span<const int64_t> counts) = 0;
  virtual void do_all_reduce_fast(const Collective& call, std::span<float> values) = 0;
  // Returns a ticket, which is given back when test() is true, wait() returned, or by abandon().
  virtual int do_start(const Collective& call, Sends sends, Receives receives) = 0;
  virtual bool do_test(int ticket) = 0;
  virtual void do_wait(int ticket) = 0;
  virtual void do_abandon(int ticket) noexcept = 0;
  virtual void do_post(int to, std::span<const std::byte> letter) = 0;
  virtual std::optional<Letter> do_take() = 0;

  template <class T>
  static std::span<std::byte> bytes_of(std::span<T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return std::as_writable_bytes(values);
  }
  template <class T>
  void set_counts(std::span<const int64_t> counts) {
    counts_.assign(counts.begin(), counts.end());
    for (int64_t& count : counts_) count *= static_cast<int64_t>(sizeof(T));
  }

  void broadcast_bytes(Label label, std::span<std::byte> bytes, int root);
  void all_gather_bytes(Label label, std::span<const std::byte> mine, std::span<std::byte> all);
  Pending start_all_gather_bytes(Label label, std::span<const std::byte> mine,
                                 std::span<std::byte> all);
  Pending start_all_to_all_bytes(Label label, std::span<const std::byte> send,
                                 std::span<std::byte> receive);
  Pending start(Verb verb, Label label);  // sends_ and receives_
  template <class T>
  void reduce_in_order(Label label, std::span<T> values, Reduction reduction);

  int64_t put_own_part(std::span<const std::byte> mine, std::span<std::byte> all);
  Collective enter(Verb verb, Label label, Traffic traffic);

  int rank_;
  int size_;
  std::vector<std::string> hosts_;
  CollectiveLog log_;
  std::array<Traffic, kVerbs> traffic_;
  // Kept between calls, so that none allocates in the long run.
  std::vector<int64_t> counts_;  // bytes
  std::vector<int64_t> receive_counts_;
  std::vector<Piece<const std::byte>> sends_;
  std::vector<Piece<std::byte>> receives_;
  std::vector<std::byte> gathered_;
};

}  // namespace outerloop::comm
