#include "comm/link.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "outerloop/base/error.h"

namespace outerloop::comm {
namespace {

bool lacks_descriptors() {
  return errno == EMFILE || errno == ENFILE;
}

SystemFailure failure(const char* call) {
  const char* advice = lacks_descriptors() ? "; raise the limit of open files (ulimit -n), which "
                                             "must be well above the number of ranks"
                                           : "";
  return SystemFailure(
      fmt::format("the watchdog cannot connect: {}: {}{}", call, std::strerror(errno), advice));
}

bool would_wait() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

// Of this machine, without the loopback.
void add_addresses(Invitation& invitation) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) throw failure("getifaddrs");
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in address{};
    std::memcpy(&address, i->ifa_addr, sizeof(address));
    if (ntohl(address.sin_addr.s_addr) >> 24 == 127) continue;
    if (invitation.count == Invitation::kMostAddresses) break;
    invitation.addresses[invitation.count++] = address.sin_addr;
  }
  freeifaddrs(list);
}

// Last words must not wait for the acknowledgement of earlier ones.
void send_at_once(const Socket& socket) {
  const int on = 1;
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Socket connect_within(in_addr host, uint16_t port, std::chrono::milliseconds most) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.open() && lacks_descriptors()) throw failure("socket");
  if (!socket.open()) return {};
  send_at_once(socket);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = host;
  address.sin_port = port;
  if (connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno != EINPROGRESS) return {};
    pollfd entry{socket.fd(), POLLOUT, 0};
    if (poll(&entry, 1, static_cast<int>(most.count())) != 1) return {};
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return {};
  }
  return socket;
}

// When the last segment came: of a connection that was closed, the one that said so.
Clock::time_point last_heard(const Socket& socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket.fd(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return Clock::now();
  return Clock::now() - std::chrono::milliseconds(info.tcpi_last_ack_recv);
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

void Link::send(const Message& message) {
  if (closed()) return;
  if (out_.empty()) {
    const auto* bytes = reinterpret_cast<const char*>(&message);
    out_.assign(bytes, bytes + sizeof(message));
  }
  const ssize_t sent = ::send(fd(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    // A broken connection closes when it is read: the last words may still lie there.
    if (out_.size() == sizeof(message)) out_.clear();  // none of it went
    return;
  }
  out_.erase(out_.begin(), out_.begin() + sent);
}

bool Link::receive(Message& message) {
  while (!closed() && in_size_ < sizeof(message)) {
    const ssize_t got = recv(fd(), in_.data() + in_size_, in_.size() - in_size_, MSG_DONTWAIT);
    if (got < 0 && would_wait()) return false;
    if (got <= 0) {
      closed_at_ = last_heard(socket_);
      socket_ = Socket();
      return false;
    }
    in_size_ += static_cast<size_t>(got);
  }
  if (in_size_ < sizeof(message)) return false;
  std::memcpy(&message, in_.data(), sizeof(message));
  in_size_ = 0;
  return true;
}

std::pair<Socket, Invitation> listen_anywhere() {
  Socket listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.open()) throw failure("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.fd(), generic, sizeof(address)) != 0) throw failure("bind");
  if (listen(listener.fd(), SOMAXCONN) != 0) throw failure("listen");
  socklen_t size = sizeof(address);
  if (getsockname(listener.fd(), generic, &size) != 0) throw failure("getsockname");
  Invitation invitation;
  std::random_device random;
  invitation.token = uint64_t{random()} << 32 | random();
  invitation.port = address.sin_port;
  add_addresses(invitation);
  return {std::move(listener), invitation};
}

Socket accept_from(const Socket& listener) {
  Socket socket(accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.open() && lacks_descriptors()) throw failure("accept4");
  if (socket.open()) send_at_once(socket);
  return socket;
}

Socket connect_to(const Invitation& invitation, bool same_host, std::chrono::milliseconds each) {
  if (same_host) {
    Socket socket = connect_within({htonl(INADDR_LOOPBACK)}, invitation.port, each);
    if (socket.open()) return socket;
  }
  for (uint32_t i = 0; i < invitation.count; ++i) {
    Socket socket = connect_within(invitation.addresses[i], invitation.port, each);
    if (socket.open()) return socket;
  }
  return {};
}

void wait_readable(const std::vector<int>& fds, std::chrono::milliseconds most) {
  std::vector<pollfd> entries;
  for (const int fd : fds) entries.push_back({fd, POLLIN, 0});
  poll(entries.data(), entries.size(), static_cast<int>(std::max<int64_t>(most.count(), 0)));
}

}  // namespace outerloop::comm
