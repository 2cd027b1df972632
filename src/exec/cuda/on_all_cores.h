#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "outerloop/base/cpu_quota.h"

namespace outerloop::exec::cuda {

// Runs work(0) … work(count - 1), which take long, on all cores that this process may use, but no
// more than 16: other ranks of the host do the same. After a failure nothing more is begun, and
// when all have ended the one of the lowest number is thrown.
template <class Work>
void on_all_cores(size_t count, const Work& work) {
  std::atomic<size_t> next = 0;
  std::vector<std::exception_ptr> failures(count);
  const auto loop = [&] {
    for (size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        failures[i] = std::current_exception();
        next = count;
      }
    }
  };
  {
    const auto cores = static_cast<size_t>(std::min(fitting_threads(), 16));
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < std::min(cores, count); ++i) workers.emplace_back(loop);
    loop();
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure != nullptr) std::rethrow_exception(failure);
  }
}

}  // namespace outerloop::exec::cuda
