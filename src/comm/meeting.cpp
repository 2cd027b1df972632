#include "comm/meeting.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "outerloop/comm/agreement.h"

namespace outerloop::comm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectTime{2000};    // for one address
constexpr milliseconds kMeetingTime{20'000};  // for all ranks to find the one that listens

// Who listens has a connection to every other rank, and the usual limit is for a thousand.
void allow_as_many_files_as_may_be() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // accept_from() says what comes of a refusal
}

// "over TCP, port 40001; what to do"
std::string way_to(const std::string& host, const Invitation& invitation) {
  const std::string advice = invitation.count > 0 ? "allow connections between the hosts over IPv4"
                                                  : host + " has no IPv4 address, which it needs";
  return fmt::format("over TCP, port {}; {}", ntohs(invitation.port), advice);
}

Message hello(int rank, uint64_t token) {
  return {.token = token, .rank = rank, .kind = MessageKind::hello};
}

Peer join(const Communicator& ranks, int listening, const Invitation& invitation) {
  const auto& hosts = ranks.hosts();
  const std::string& host = hosts[static_cast<size_t>(listening)];
  const bool same_host = hosts[static_cast<size_t>(ranks.rank())] == host;
  Link link(connect_to(invitation, same_host, kConnectTime));
  link.send(hello(ranks.rank(), invitation.token));
  Message answer;
  const Clock::time_point deadline = Clock::now() + kMeetingTime;
  while (!link.closed() && Clock::now() < deadline) {
    if (link.receive(answer) && answer.token == invitation.token) {
      return {listening, std::move(link)};
    }
    wait_readable({link.fd()}, milliseconds(100));
  }
  throw SystemFailure(
      fmt::format("cannot connect to rank {} on {} {}", listening, host, way_to(host, invitation)));
}

std::vector<int> missing_from(const std::vector<Peer>& peers, const Communicator& ranks) {
  std::vector<int> missing;
  for (int rank = 0; rank < ranks.size(); ++rank) {
    const bool is_here = rank == ranks.rank() || std::ranges::count(peers, rank, &Peer::rank) > 0;
    if (!is_here) missing.push_back(rank);
  }
  return missing;
}

// Until all other ranks are peers.
void receive_all(const Communicator& ranks, const Socket& listener, const Invitation& invitation,
                 std::vector<Peer>& peers) {
  const uint64_t token = invitation.token;
  const auto wanted = static_cast<size_t>(ranks.size() - 1);
  std::vector<Link> strangers;
  const Clock::time_point deadline = Clock::now() + kMeetingTime;
  while (peers.size() < wanted && Clock::now() < deadline) {
    std::vector<int> fds{listener.fd()};
    for (const Link& link : strangers) fds.push_back(link.fd());
    wait_readable(fds, milliseconds(100));
    for (Socket s = accept_from(listener); s.open(); s = accept_from(listener)) {
      strangers.emplace_back(std::move(s));
    }
    for (Link& link : strangers) {
      Message received;
      if (!link.receive(received) || received.token != token) continue;
      if (received.rank <= 0 || received.rank >= ranks.size()) continue;
      link.send(hello(ranks.rank(), token));
      peers.push_back({received.rank, std::exchange(link, Link())});
    }
    std::erase_if(strangers, [](const Link& link) { return link.closed(); });
  }
  if (peers.size() < wanted) {
    throw SystemFailure(
        describe_missing(ranks.hosts(), missing_from(peers, ranks), ranks.rank(), invitation));
  }
}

}  // namespace

int deputy_of(const std::vector<std::string>& hosts) {
  const auto elsewhere = std::ranges::find_if(hosts, [&](auto& host) { return host != hosts[0]; });
  return elsewhere == hosts.end() ? 1 : static_cast<int>(elsewhere - hosts.begin());
}

std::string describe_missing(const std::vector<std::string>& hosts, const std::vector<int>& missing,
                             int listening, const Invitation& invitation) {
  const std::string& host = hosts[static_cast<size_t>(listening)];
  return fmt::format("{} did not connect to rank {} on {} {}", names_of(hosts, missing), listening,
                     host, way_to(host, invitation));
}

std::vector<Peer> meet(Communicator& ranks, int deputy) {
  const std::array<int, 2> listening{0, deputy};
  Socket listener;
  Invitation mine;
  fail_together(ranks, "watchdog", [&] {
    if (std::ranges::count(listening, ranks.rank()) == 0) return;
    allow_as_many_files_as_may_be();
    std::tie(listener, mine) = listen_anywhere();
  });
  std::array<Invitation, 2> invitations;
  for (size_t i = 0; i < listening.size(); ++i) {
    if (ranks.rank() == listening[i]) invitations[i] = mine;
    ranks.broadcast("watchdog", std::span(&invitations[i], 1), listening[i]);
  }
  std::vector<Peer> peers;
  fail_together(ranks, "watchdog", [&] {
    for (size_t i = 0; i < listening.size(); ++i) {
      if (ranks.rank() == 0 || ranks.rank() == listening[i]) continue;
      peers.push_back(join(ranks, listening[i], invitations[i]));
    }
    if (listener.open()) receive_all(ranks, listener, mine, peers);
  });
  return peers;
}

}  // namespace outerloop::comm
