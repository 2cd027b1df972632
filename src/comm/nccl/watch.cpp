// What becomes of the collectives that were put on streams.

#include <fmt/format.h>

#include <thread>

#include "comm/nccl/nccl_ranks.h"

namespace outerloop::comm {

bool NcclRanks::poll() {
  look_after();
  return under_way_.empty();
}

void NcclRanks::wait() {
  wait_until([this] { return under_way_.empty(); });
}

void NcclRanks::wait_until(const std::function<bool()>& done) {
  if (under_way_.empty()) moved_ = Clock::now();
  waiting_ = true;
  // A call that returned early is done in no time: sleeping takes longer.
  constexpr std::chrono::microseconds kAwake{50}, kAsleep{20};
  const Clock::time_point start = Clock::now();
  for (look_after(); !done(); look_after()) {
    if (Clock::now() - start > kAwake) std::this_thread::sleep_for(kAsleep);
  }
  waiting_ = false;
}

void NcclRanks::look_after() {
  guarded([this] {
    roll_call_.listen();
    judge_error();
    retire();
    judge_time();
  });
}

ncclResult_t NcclRanks::state() {
  ncclResult_t result = ncclSuccess;
  OL_NCCL(context_, ncclCommGetAsyncError(context_.comm, &result));
  return result;
}

void NcclRanks::judge_error() {
  const ncclResult_t result = state();
  if (result == ncclSuccess || result == ncclInProgress) return;
  throw NcclError(error_text(context_, result));
}

void NcclRanks::judge_time() {
  const bool busy = waiting_ || !under_way_.empty();
  const bool late = busy && Clock::now() - moved_ >= options_.stall;
  if (!late && !roll_call_.asked()) return;
  throw RankFailure(roll_call_.take(place(), done_, options_.stall, options_.answer));
}

void NcclRanks::retire() {
  while (!under_way_.empty() && under_way_.front().recorded &&
         device_.reached(under_way_.front().done)) {
    done_ = under_way_.front().call;
    done_.left = true;
    host_.leave_beside(done_.sequence);
    free_events_.push_back(under_way_.front().begun);
    free_events_.push_back(under_way_.front().done);
    under_way_.pop_front();
    moved_ = Clock::now();
  }
}

// The host may be far ahead.
Collective NcclRanks::place() {
  if (under_way_.empty()) return host_.log().last();
  return device_.reached(under_way_.front().begun) ? under_way_.front().call : done_;
}

std::optional<std::string> NcclRanks::cause_elsewhere() {
  ncclResult_t result = ncclSuccess;
  context_.library.ncclCommGetAsyncError(context_.comm, &result);
  if (result != ncclRemoteError) return std::nullopt;
  try {
    const Clock::time_point now = Clock::now();
    while (Clock::now() - now < options_.answer) {
      roll_call_.listen();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  } catch (const RankFailure& cause) {
    return cause.what();
  }
  return std::nullopt;
}

void NcclRanks::guarded(const std::function<void()>& body) {
  if (!failure_.empty()) throw NcclError(failure_);
  try {
    body();
  } catch (const RankFailure& error) {
    end(error.what(), true);
    throw;
  } catch (const SystemFailure& error) {
    if (!failure_.empty()) throw;  // judged further in
    if (const auto cause = cause_elsewhere()) {
      end(*cause, true);
      throw RankFailure(*cause);
    }
    const std::string failure =
        fmt::format("rank {} on {} failed in {}: {}", host_.rank(),
                    host_.hosts()[static_cast<size_t>(host_.rank())],
                    describe(under_way_.empty() ? place() : under_way_.front().call), error.what());
    end(failure, false);
    throw NcclError(failure);
  } catch (const std::exception& error) {
    end(error.what(), false);
    throw;
  }
}

void NcclRanks::end(const std::string& failure, bool told) noexcept {
  if (!failure_.empty()) return;
  failure_ = failure;
  try {
    // Before the others see a broken connection.
    if (!told) roll_call_.tell(failure);
  } catch (const std::exception&) {  // they find out by their own clocks
  }
  if (context_.comm != nullptr) context_.library.ncclCommAbort(context_.comm);
  context_.comm = nullptr;
}

}  // namespace outerloop::comm
