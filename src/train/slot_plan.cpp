#include "train/slot_plan.h"

#include <algorithm>
#include <array>
#include <queue>

namespace outerloop::train {
namespace {

constexpr size_t kShortestPeriod = 8;
constexpr size_t kLongestPeriod = 256;
constexpr double kWorthwhile = 0.95;  // of the present plan's time
// What a rank without slots is thought to take, from plan to plan: so it gets some again.
constexpr double kForgetting = 0.9;

int64_t rounds(int64_t slots, int64_t at_once) {
  return (slots + at_once - 1) / at_once;
}

double seconds_for(int64_t slots, const RankSpeed& speed) {
  return static_cast<double>(rounds(slots, speed.at_once)) * speed.seconds;
}

std::vector<comm::Range> consecutive(std::span<const int64_t> counts) {
  std::vector<comm::Range> ranges;
  int64_t first = 0;
  for (const int64_t count : counts) {
    ranges.push_back({first, first + count});
    first += count;
  }
  return ranges;
}

double middle_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::vector<comm::Range> dealt(const comm::Range& whole, int64_t parts) {
  std::vector<comm::Range> result;
  for (int64_t i = 0; i < parts; ++i) {
    result.push_back(
        {whole.first + whole.size() * i / parts, whole.first + whole.size() * (i + 1) / parts});
  }
  return result;
}

double seconds_of(std::span<const comm::Range> slots, std::span<const RankSpeed> speeds) {
  double longest = 0;
  for (size_t r = 0; r < slots.size(); ++r) {
    longest = std::max(longest, seconds_for(slots[r].size(), speeds[r]));
  }
  return longest;
}

// Each slot goes to the rank that would have it done first: for equal slots no plan is better.
std::vector<comm::Range> plan_slots(int64_t slots, std::span<const RankSpeed> speeds) {
  std::vector<int64_t> counts(speeds.size(), 0);
  using Bid = std::pair<double, size_t>;  // when a rank would be done with one more
  std::priority_queue<Bid, std::vector<Bid>, std::greater<>> bids;
  const auto bid = [&](size_t rank) {
    bids.emplace(seconds_for(counts[rank] + 1, speeds[rank]), rank);
  };
  for (size_t rank = 0; rank < speeds.size(); ++rank) bid(rank);
  for (int64_t slot = 0; slot < slots; ++slot) {
    const size_t rank = bids.top().second;
    bids.pop();
    ++counts[rank];
    bid(rank);
  }
  return consecutive(counts);
}

SlotPlanner::SlotPlanner(comm::Communicator& ranks, int64_t slots, int64_t at_once, int64_t rest)
    : ranks_(ranks),
      at_once_(at_once),
      slots_(dealt({0, slots}, ranks.size())),
      period_(kShortestPeriod),
      rest_(rest),
      speeds_(slots_.size()),
      shared_(2 * slots_.size()) {
  times_.reserve(kLongestPeriod);
}

bool SlotPlanner::measured(double seconds) {
  if (resting_ > 0) return false;
  times_.push_back(seconds);
  if (times_.size() < period_) return false;
  share_speeds();
  times_.clear();
  std::vector<comm::Range> plan = plan_slots(slots_.back().end, speeds_);
  if (seconds_of(plan, speeds_) < kWorthwhile * seconds_of(slots_, speeds_)) {
    slots_ = std::move(plan);
    period_ = kShortestPeriod;
    return true;
  }
  resting_ = rest_;
  if (rest_ == 0) period_ = std::min(2 * period_, kLongestPeriod);
  return false;
}

void SlotPlanner::share_speeds() {
  const int64_t own = slots_[static_cast<size_t>(ranks_.rank())].size();
  const double seconds =
      own > 0 ? middle_of(times_) / static_cast<double>(rounds(own, at_once_)) : 0.0;
  const std::array<double, 2> mine{seconds, static_cast<double>(at_once_)};
  ranks_.all_gather<double>("speeds", mine, shared_);
  double fastest = 0;
  for (size_t r = 0; r < speeds_.size(); ++r) {
    const double now = shared_[2 * r];
    speeds_[r] = {now > 0 ? now : kForgetting * speeds_[r].seconds,
                  static_cast<int64_t>(shared_[2 * r + 1])};
    if (now > 0 && (fastest == 0 || now < fastest)) fastest = now;
  }
  for (RankSpeed& speed : speeds_) {
    if (speed.seconds == 0) speed.seconds = fastest;
  }
}

}  // namespace outerloop::train
