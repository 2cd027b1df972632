#include "outerloop/base/stop_signal.h"

#include <signal.h>
#include <time.h>

#include <array>
#include <atomic>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGUSR1};
constexpr std::int64_t kSameRequest = 500'000'000;  // nanoseconds

// A handler can reach nothing but globals; only lock-free atomics are safe in it.
std::atomic<int> received_signal{0};
std::atomic<std::int64_t> received_at{0};
std::atomic<bool> installed{false};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);
std::array<struct sigaction, kSignals.size()> earlier;

std::int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

void handle(int signal) {
  if (received_signal.load() == 0) {
    received_at.store(now());
    received_signal.store(signal);
  } else if (now() - received_at.load() > kSameRequest) {
    ::signal(signal, SIG_DFL);
    raise(signal);  // delivered when this handler returns
  }
}

}  // namespace

StopSignal::StopSignal() {
  OL_ASSERT(!installed.exchange(true), "two StopSignals at once");
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) sigaddset(&action.sa_mask, signal);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &earlier[i]);
}

StopSignal::~StopSignal() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &earlier[i], nullptr);
  installed = false;
}

int StopSignal::received() const noexcept {
  return received_signal.load(std::memory_order_relaxed);
}

}  // namespace outerloop
