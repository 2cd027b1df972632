#pragma once
// TCP connections between watchdogs.

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "outerloop/comm/collective_log.h"

namespace outerloop::comm {

using Clock = std::chrono::steady_clock;

// Owns a file descriptor, such as a socket.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();
  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class MessageKind : uint8_t { hello, alive, leaving, end };

// All messages have this size.
struct Message {
  uint64_t token = 0;  // of the run: strangers do not have it
  int32_t rank = 0;
  MessageKind kind = MessageKind::alive;
  Verb verb = Verb::barrier;  // with the next ones: the last collective entered
  bool left = false;
  uint64_t sequence = 0;
  std::array<char, 488> text{};  // its label, or why the run ends
};

inline void set_text(Message& message, std::string_view text) {
  const size_t length = std::min(text.size(), message.text.size() - 1);
  std::memcpy(message.text.data(), text.data(), length);
  message.text[length] = '\0';
}

// A connection that never waits.
class Link {
 public:
  Link() = default;
  explicit Link(Socket socket) : socket_(std::move(socket)) {}

  // Sends what it can; a message is dropped while the other side does not read.
  void send(const Message& message);
  // The next whole message; false: none yet, or closed().
  bool receive(Message& message);
  bool closed() const { return !socket_.open(); }
  // When the other side closed it, which may be earlier than receive() found out.
  Clock::time_point closed_at() const { return closed_at_; }
  int fd() const { return socket_.fd(); }

 private:
  Socket socket_;
  Clock::time_point closed_at_;
  std::vector<char> out_;  // rest of a message that went in part
  std::array<char, sizeof(Message)> in_{};
  size_t in_size_ = 0;
};

// Where rank 0 listens.
struct Invitation {
  static constexpr size_t kMostAddresses = 16;
  uint64_t token = 0;
  std::array<in_addr, kMostAddresses> addresses{};
  uint32_t count = 0;
  uint16_t port = 0;  // network order
};

// These throw SystemFailure, also where there are too many open files.
//
// Any port of all interfaces.
std::pair<Socket, Invitation> listen_anywhere();
// A waiting connection; not open: none.
Socket accept_from(const Socket& listener);
// The first of the addresses that takes the connection within its time; not open: none.
Socket connect_to(const Invitation& invitation, bool same_host, std::chrono::milliseconds each);
// Waits until one of the descriptors can be read, or the time is over.
void wait_readable(const std::vector<int>& fds, std::chrono::milliseconds most);

}  // namespace outerloop::comm
