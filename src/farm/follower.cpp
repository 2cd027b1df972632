#include "farm/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "farm/pace.h"

namespace outerloop::farm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{120'000};  // with a leader that gives no sign of life
constexpr double kSecondsAhead = 0.05;      // of work that waits here while letters travel

}  // namespace

Follower::Follower(comm::Communicator& ranks, const RunOptions& options)
    : ranks_(ranks), options_(options) {}

// ---- For threads of this process -----------------------------------------------------------

std::optional<size_t> Follower::next(int) {
  std::unique_lock lock(mutex_);
  ++idle_;
  if (cells_.empty()) nudge();
  changed_.wait(lock, [this] { return over_ || !cells_.empty(); });
  --idle_;
  if (over_) return std::nullopt;
  const size_t cell = cells_.front();
  cells_.pop_front();
  return cell;
}

void Follower::deliver(size_t cell, std::span<const double> values) {
  const std::lock_guard lock(mutex_);
  results_.add(cell);
  results_.add(values);
  ++delivered_;
}

void Follower::stop(const std::string& why) {
  LetterWriter letter(Subject::stop);
  letter.add(why);
  const std::lock_guard lock(mutex_);
  letters_.push_back(letter.bytes());
  nudge();
}

void Follower::fail(const comm::Failure& failure) {
  LetterWriter letter(Subject::failure);
  letter.add(failure.code);
  letter.add(failure.message);
  const std::lock_guard lock(mutex_);
  letters_.push_back(letter.bytes());
  nudge();
}

void Follower::give_up() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  changed_.notify_all();
}

void Follower::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  nudge();
}

// With the mutex held.
void Follower::nudge() {
  is_nudged_ = true;
  nudged_.notify_one();
}

// ---- The serving thread --------------------------------------------------------------------

void Follower::serve() {
  while (true) {
    const bool busy = read_letters();
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      last = over_ && closed_;
    }
    send_results();
    if (last) break;
    ask_for_cells();
    look_around();
    if (!busy) wait_for_work();
  }
  ranks_.post(0, LetterWriter(Subject::bye).bytes());
}

void Follower::wait_for_work() {
  std::unique_lock lock(mutex_);
  nudged_.wait_for(lock, idle_ > 0 ? kPoll : kQuiet, [this] { return is_nudged_; });
  is_nudged_ = false;
}

bool Follower::read_letters() {
  bool any = false;
  while (const auto letter = ranks_.take()) {
    read(letter->bytes);
    any = true;
  }
  require_leader();
  if (any) silence_ = {};
  return any;
}

// Time that this process itself did not run is no silence.
void Follower::require_leader() {
  const Clock::time_point now = Clock::now();
  silence_ += std::min<Clock::duration>(now - woke_, milliseconds(1000));
  woke_ = now;
  if (silence_ < kPatience) return;
  throw SystemFailure(fmt::format("rank 0 on {} gave no sign of life for {} s", ranks_.hosts()[0],
                                  kPatience.count() / 1000));
}

void Follower::read(std::span<const std::byte> letter) {
  LetterReader reader(letter);
  const std::lock_guard lock(mutex_);
  switch (reader.take<Subject>()) {
    case Subject::lease:
      while (!reader.at_end()) cells_.push_back(reader.take<size_t>());
      ++leases_;
      asked_for_cells_ = false;
      asked_idle_ = 0;
      break;
    case Subject::end: {
      const int code = reader.take<int>();
      progress_ = reader.take<Progress>();
      const std::string why = reader.take_text();
      if (code != 0) {
        failure_ = comm::Failure{why, code};
      } else {
        stopped_ = why;
      }
      over_ = true;
      cells_.clear();
      break;
    }
    case Subject::alive:
      break;
    default:
      OL_ASSERT(false, "a letter that only the leader reads");
  }
  changed_.notify_all();
}

void Follower::send_results() {
  std::vector<std::vector<std::byte>> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(letters_);
    LetterWriter results(Subject::results);
    if (results_.bytes().size() > results.bytes().size()) {
      letters.insert(letters.begin(), results_.bytes());
      results_ = results;
    }
  }
  for (const auto& letter : letters) ranks_.post(0, letter);
}

// A cell ahead, so that no thread waits for letters; where cells are short, many. Long ones are not
// hoarded: others may be idle.
void Follower::ask_for_cells() {
  size_t wanted = 0, idle = 0;
  {
    const std::lock_guard lock(mutex_);
    idle = idle_ - std::min(idle_, cells_.size());  // some have one, and are about to see it
    if (over_ || (asked_for_cells_ && idle <= asked_idle_)) return;
    const double seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    const auto ahead =
        static_cast<size_t>(kSecondsAhead * static_cast<double>(delivered_) / (seconds + 1e-3));
    wanted = std::max<size_t>(ahead, 1) + idle_;
    wanted -= std::min(wanted, cells_.size());
  }
  if (wanted == 0) return;
  LetterWriter letter(Subject::want);
  for (const size_t number : {leases_, wanted, idle}) letter.add(number);
  ranks_.post(0, letter.bytes());
  asked_for_cells_ = true;
  asked_idle_ = idle;
}

void Follower::look_around() {
  const Clock::time_point now = Clock::now();
  if (now - asked_ < kAskEvery || !options_.stop_requested) return;
  asked_ = now;
  const std::string why = options_.stop_requested();
  if (!why.empty()) stop(why);
}

}  // namespace outerloop::farm
