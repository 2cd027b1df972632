#include "outerloop/base/thread_pool.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "outerloop/base/cpu_quota.h"
#include "outerloop/base/error.h"

namespace outerloop {
namespace {

// Longer than the gaps between two meta-steps of the smallest models, short enough to give the core
// away while a checkpoint is written.
constexpr auto kSpin = std::chrono::microseconds(200);

void pause_core() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Spins until `done` holds or the time is up; says whether it holds.
template <class Done>
bool spin_until(Done done) {
  for (int i = 0; i < 256; ++i) {
    if (done()) return true;
    pause_core();
  }
  const auto end = std::chrono::steady_clock::now() + kSpin;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      pause_core();
    }
  }
  return false;
}

void pin(pthread_t thread, int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  pthread_setaffinity_np(thread, sizeof set, &set);  // a refusal costs speed only
}

}  // namespace

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

// A run is announced by `epoch` and ends when `running` reaches zero. Both sides spin first and
// then park: the parked side counts itself before it looks again under the lock, and the other side
// changes the value before it looks for parked threads, so that no wake-up is lost.
struct ThreadPool::Team {
  alignas(64) std::atomic<std::uint64_t> epoch{0};
  alignas(64) std::atomic<int> running{0};
  alignas(64) std::atomic<int> parked{0};
  std::atomic<bool> quit{false};
  bool spins = true;  // pointless when threads share cores
  bool in_run = false;
  bool pinned = false;
  cpu_set_t earlier_cores{};
  Task task, after;  // of the run under way
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::exception_ptr> errors;
  std::vector<std::jthread> workers;

  ~Team() {
    quit = true;
    epoch.fetch_add(1);
    notify();
    workers.clear();
  }

  template <class Done>
  void wait(Done done) {
    if (spins && spin_until(done)) return;
    std::unique_lock lock(mutex);
    parked.fetch_add(1);
    wake.wait(lock, done);
    parked.fetch_sub(1);
  }

  void notify() {
    if (parked.load() == 0) return;
    const std::lock_guard lock(mutex);
    wake.notify_all();
  }

  void call_on(int thread) {
    try {
      task.call(task.context, thread);
    } catch (...) {
      errors[static_cast<std::size_t>(thread)] = std::current_exception();
    }
  }

  void work(int thread) {
    for (std::uint64_t seen = 0;; ++seen) {
      wait([&] { return epoch.load() != seen; });
      if (quit.load()) return;
      call_on(thread);
      const Task then = after;  // another run may begin from here on
      if (running.fetch_sub(1) == 1) notify();
      if (then.call != nullptr) then.call(then.context, thread);
    }
  }
};

ThreadPool::ThreadPool(int size, Pinning pinning) {
  constexpr int kMost = 1024;
  if (size < 0 || size > kMost) {
    throw BadInput(fmt::format("{} threads: expected 0 (as many as fit) to {}", size, kMost));
  }
  const std::vector<int> cores = allowed_cores();
  const int core_count = static_cast<int>(cores.size());
  size_ = size == 0 ? fitting_threads() : size;
  if (size_ == 1) return;

  team_ = std::make_unique<Team>();
  team_->spins = size_ <= core_count;
  team_->errors.resize(static_cast<std::size_t>(size_));
  try {
    for (int i = 1; i < size_; ++i) {
      team_->workers.emplace_back([team = team_.get(), i] { team->work(i); });
    }
  } catch (const std::system_error& error) {
    throw SystemFailure(
        fmt::format("cannot start {} threads: {}; set runtime.threads lower", size_, error.what()));
  }
  if (size_ != core_count || pinning == Pinning::none) return;
  team_->pinned =
      pthread_getaffinity_np(pthread_self(), sizeof(cpu_set_t), &team_->earlier_cores) == 0;
  pin(pthread_self(), cores[0]);
  for (std::size_t i = 0; i < team_->workers.size(); ++i) {
    pin(team_->workers[i].native_handle(), cores[i + 1]);
  }
}

ThreadPool::~ThreadPool() {
  if (!team_) return;
  if (team_->pinned) {
    pthread_setaffinity_np(pthread_self(), sizeof(cpu_set_t), &team_->earlier_cores);
  }
}

void ThreadPool::run_erased(Task work, Task after) {
  if (!team_) return work.call(work.context, 0);
  Team& team = *team_;
  OL_ASSERT(!team.in_run, "ThreadPool::run inside a run");
  team.in_run = true;
  team.task = work;
  team.after = after;
  team.running.store(size_ - 1);
  team.epoch.fetch_add(1);
  team.notify();
  team.call_on(0);
  team.wait([&] { return team.running.load() == 0; });
  team.in_run = false;

  std::exception_ptr first;
  for (std::exception_ptr& error : team.errors) {
    if (error && !first) first = error;
    error = nullptr;
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace outerloop
