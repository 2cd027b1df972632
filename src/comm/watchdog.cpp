#include "outerloop/comm/watchdog.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "comm/judge.h"
#include "comm/link.h"
#include "outerloop/comm/agreement.h"

namespace outerloop::comm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectTime{2000};    // for one address
constexpr milliseconds kMeetingTime{20'000};  // for all ranks to find rank 0
constexpr milliseconds kNever = std::chrono::hours(24 * 365 * 10);

// Rank 0 keeps one of these for each rank, the others one for rank 0.
struct Peer {
  int rank;
  Link link;
};

void note(Sighting& sighting, const Message& message, Clock::time_point now) {
  sighting.heard = now;
  if (sighting.sequence != message.sequence || sighting.left != message.left) sighting.moved = now;
  sighting.sequence = message.sequence;
  sighting.left = message.left;
  sighting.collective = describe({message.sequence, message.verb, message.text.data()});
}

}  // namespace

class Watchdog::Watch {
 public:
  Watch(Communicator& ranks, const WatchdogOptions& options,
        std::function<void(const Verdict&)> end)
      : ranks_(ranks), options_(options), end_(std::move(end)) {
    seen_.resize(static_cast<size_t>(ranks.size()));
    Socket listener;
    Invitation invitation;
    const bool first = ranks.rank() == 0;
    fail_together(ranks, "watchdog", [&] {
      if (first) std::tie(listener, invitation) = listen_anywhere();
    });
    ranks.broadcast("watchdog", std::span(&invitation, 1), 0);
    token_ = invitation.token;
    fail_together(ranks, "watchdog", [&] { first ? receive_all(listener) : join(invitation); });
    // They count from here, however long the meeting took.
    for (Sighting& sighting : seen_) sighting.heard = sighting.moved = Clock::now();
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  ~Watch() {
    thread_.request_stop();
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_.fd(), &one, sizeof(one));
    thread_.join();
    send_all(MessageKind::leaving, {});
  }

 private:
  Message message(MessageKind kind, std::string_view text) const {
    const Collective last = ranks_.log().last();
    Message result{token_,       ranks_.rank(), kind, last.verb, last.left || last.sequence == 0,
                   last.sequence};
    set_text(result, kind == MessageKind::end ? text : last.label);
    return result;
  }

  void send_all(MessageKind kind, std::string_view text) {
    const Message sent = message(kind, text);
    for (Peer& peer : peers_) peer.link.send(sent);
  }

  void join(const Invitation& invitation) {
    const auto& hosts = ranks_.hosts();
    const bool same_host = hosts[static_cast<size_t>(ranks_.rank())] == hosts[0];
    Link link(connect_to(invitation, same_host, kConnectTime));
    link.send(message(MessageKind::hello, {}));
    Message answer;
    const Clock::time_point deadline = Clock::now() + kMeetingTime;
    while (!link.closed() && Clock::now() < deadline) {
      if (link.receive(answer) && answer.token == token_) {
        note(seen_[0], answer, Clock::now());
        peers_.push_back({0, std::move(link)});
        return;
      }
      wait_readable({link.fd()}, milliseconds(100));
    }
    throw SystemFailure(
        fmt::format("cannot connect to rank 0 on {} over TCP, port {}; allow connections between "
                    "the hosts",
                    hosts[0], ntohs(invitation.port)));
  }

  void receive_all(const Socket& listener) {
    std::vector<Link> strangers;
    const auto wanted = static_cast<size_t>(ranks_.size() - 1);
    const Clock::time_point deadline = Clock::now() + kMeetingTime;
    while (peers_.size() < wanted && Clock::now() < deadline) {
      std::vector<int> fds{listener.fd()};
      for (const Link& link : strangers) fds.push_back(link.fd());
      wait_readable(fds, milliseconds(100));
      for (Socket s = accept_from(listener); s.open(); s = accept_from(listener)) {
        strangers.emplace_back(std::move(s));
      }
      for (Link& link : strangers) {
        Message hello;
        if (!link.receive(hello) || hello.token != token_) continue;
        if (hello.rank <= 0 || hello.rank >= ranks_.size()) continue;
        link.send(message(MessageKind::hello, {}));
        note(seen_[static_cast<size_t>(hello.rank)], hello, Clock::now());
        peers_.push_back({hello.rank, std::exchange(link, Link())});
      }
      std::erase_if(strangers, [](const Link& link) { return link.closed(); });
    }
    if (peers_.size() < wanted) {
      throw SystemFailure(
          fmt::format("{} of {} ranks connected to the watchdog of rank 0", peers_.size(), wanted));
    }
  }

  void run(const std::stop_token& stop) {
    Clock::time_point woke = Clock::now();
    Clock::time_point next_beat = woke;
    while (!stop.stop_requested()) {
      const Clock::time_point now = Clock::now();
      // Who was stopped itself (a suspended job) has not listened meanwhile.
      if (now - woke > options_.silence / 2) {
        for (Sighting& sighting : seen_) {
          sighting.heard += now - woke;
          sighting.moved += now - woke;
        }
      }
      woke = now;
      if (now >= next_beat) {
        send_all(MessageKind::alive, {});
        next_beat = now + options_.interval;
      }
      auto verdict = listen(now);
      note(seen_[static_cast<size_t>(ranks_.rank())], message(MessageKind::alive, {}), now);
      if (!verdict) verdict = find_failure(now);
      if (verdict) return finish(*verdict);
      wait_for_messages();
    }
  }

  void wait_for_messages() const {
    std::vector<int> fds{wake_.fd()};
    for (const Peer& peer : peers_) {
      if (!peer.link.closed()) fds.push_back(peer.link.fd());
    }
    wait_readable(fds, options_.interval / 2);
  }

  // Takes in what came; a verdict if rank 0 sent one.
  std::optional<Verdict> listen(Clock::time_point now) {
    for (Peer& peer : peers_) {
      Message received;
      while (peer.link.receive(received)) {
        Sighting& sighting = seen_[static_cast<size_t>(peer.rank)];
        note(sighting, received, now);
        if (received.kind == MessageKind::leaving) sighting.watched = false;
        if (received.kind == MessageKind::end) return Verdict{received.text.data(), peer.rank};
      }
    }
    return std::nullopt;
  }

  std::optional<Verdict> find_failure(Clock::time_point now) const {
    const auto found = [&](const std::vector<Sighting>& seen, const WatchdogOptions& options) {
      auto verdict = judge(seen, ranks_.hosts(), now, options);
      if (verdict) verdict->found_here = true;
      return verdict;
    };
    if (ranks_.rank() == 0) return found(seen_, options_);
    // The others know of rank 0 and themselves alone. Not all of them speak at once.
    std::vector<Sighting> known = seen_;
    for (size_t r = 1; r < known.size(); ++r) {
      if (r != static_cast<size_t>(ranks_.rank())) known[r].watched = false;
    }
    WatchdogOptions later = options_;
    later.silence += options_.interval + std::min(50 * ranks_.rank(), 2000) * milliseconds(1);
    later.stall = kNever;
    return found(known, later);
  }

  void finish(const Verdict& verdict) {
    if (verdict.found_here) send_all(MessageKind::end, verdict.text);
    end_(verdict);
  }

  Communicator& ranks_;
  WatchdogOptions options_;
  std::function<void(const Verdict&)> end_;
  Socket wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // readable: the thread is to end
  uint64_t token_ = 0;
  std::vector<Peer> peers_;
  std::vector<Sighting> seen_;  // by rank
  std::jthread thread_;
};

Watchdog::Watchdog(Communicator& ranks, const WatchdogOptions& options,
                   std::function<void(const Verdict&)> end) {
  if (ranks.size() > 1) watch_ = std::make_unique<Watch>(ranks, options, std::move(end));
}

Watchdog::~Watchdog() = default;

}  // namespace outerloop::comm
