#include "outerloop/comm/watchdog.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "comm/judge.h"
#include "comm/meeting.h"

namespace outerloop::comm {
namespace {

using std::chrono::milliseconds;

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
      : ranks_(ranks),
        options_(options),
        end_(std::move(end)),
        deputy_(deputy_of(ranks.hosts())),
        third_(deputy_ == 1 ? 2 : 1),
        peers_(meet(ranks, deputy_)),
        seen_(static_cast<size_t>(ranks.size())) {
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
    Message result{.rank = ranks_.rank(),
                   .kind = kind,
                   .verb = last.verb,
                   .left = last.left || last.sequence == 0,
                   .sequence = last.sequence};
    set_text(result, kind == MessageKind::end ? text : last.label);
    return result;
  }

  void send_all(MessageKind kind, std::string_view text) {
    const Message sent = message(kind, text);
    for (Peer& peer : peers_) peer.link.send(sent);
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
    wait_readable(fds, std::min(options_.interval, options_.grace) / 2);
  }

  // Takes in what came; a verdict if one was sent.
  std::optional<Verdict> listen(Clock::time_point now) {
    for (Peer& peer : peers_) {
      Message received;
      while (peer.link.receive(received)) {
        Sighting& sighting = seen_[static_cast<size_t>(peer.rank)];
        note(sighting, received, now);
        if (received.kind == MessageKind::leaving) sighting.watched = false;
        if (received.kind == MessageKind::end) return Verdict{received.text.data(), peer.rank};
      }
      Sighting& sighting = seen_[static_cast<size_t>(peer.rank)];
      if (!peer.link.closed() || sighting.lost) continue;
      sighting.lost = true;
      // Of several that were lost since the last look, the first may have ended the others.
      sighting.heard =
          std::clamp(peer.link.closed_at(), std::max(looked_, now - options_.grace / 2), now);
    }
    looked_ = now;
    return std::nullopt;
  }

  // How long this rank leaves it to others to speak: rank 0 speaks for all, its deputy if rank 0
  // has not, then the third. The rest, who hear of the first two alone, wait until the third would
  // have ended the run.
  milliseconds turn() const {
    const bool first_lost = seen_[0].lost, deputy_lost = seen_[static_cast<size_t>(deputy_)].lost;
    if (ranks_.rank() == 0) return {};
    if (ranks_.rank() == deputy_) return first_lost ? milliseconds(0) : options_.interval;
    const milliseconds third = first_lost && deputy_lost ? milliseconds(0) : 3 * options_.interval;
    return ranks_.rank() == third_ ? third : third + options_.ending;
  }

  std::optional<Verdict> find_failure(Clock::time_point now) const {
    std::optional<Verdict> verdict =
        judge(heard_by(ranks_.rank(), deputy_, seen_), ranks_.hosts(), now - turn(), options_);
    if (verdict) verdict->found_here = true;
    return verdict;
  }

  void finish(const Verdict& verdict) {
    if (verdict.found_here) send_all(MessageKind::end, verdict.text);
    end_(verdict);
  }

  Communicator& ranks_;
  WatchdogOptions options_;
  std::function<void(const Verdict&)> end_;
  Socket wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // readable: the thread is to end
  int deputy_;
  int third_;  // the first of the others
  std::vector<Peer> peers_;
  std::vector<Sighting> seen_;  // by rank
  Clock::time_point looked_ = Clock::now();
  std::jthread thread_;
};

Watchdog::Watchdog(Communicator& ranks, const WatchdogOptions& options,
                   std::function<void(const Verdict&)> end) {
  if (ranks.size() > 1) watch_ = std::make_unique<Watch>(ranks, options, std::move(end));
}

Watchdog::~Watchdog() = default;

}  // namespace outerloop::comm
