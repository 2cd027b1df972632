#include "farm/leader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>

#include "farm/letters.h"
#include "farm/pace.h"

namespace outerloop::farm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWaitAlone{20};  // where there are none
constexpr milliseconds kSyncEvery{1000};
constexpr milliseconds kReportEvery{2000};

std::vector<size_t> open_cells(const Job& job, const Results& results, const Shard& shard) {
  std::vector<size_t> cells;
  for (size_t cell = 0; cell < job.cells().size(); ++cell) {
    if (shard.has(static_cast<int64_t>(cell)) && !results.has(cell)) cells.push_back(cell);
  }
  return cells;
}

int64_t cells_of(const Shard& shard, size_t all) {
  int64_t count = 0;
  for (int64_t cell = 0; cell < static_cast<int64_t>(all); ++cell) count += shard.has(cell) ? 1 : 0;
  return count;
}

// Threads of this rank are workers of their own, apart from ranks.
int worker_of(int thread) {
  return -1 - thread;
}

}  // namespace

Leader::Leader(const Job& job, Results& results, JournalFile* journal, comm::Communicator& ranks,
               int64_t threads, const RunOptions& options)
    : job_(job),
      results_(results),
      journal_(journal),
      ranks_(ranks),
      options_(options),
      ledger_(job.cells().size(), open_cells(job, results, options.shard), options.lease),
      total_(cells_of(options.shard, job.cells().size())),
      values_(job.columns().size()),
      asked_(begun_),
      synced_(begun_) {
  for (int rank = 1; rank < ranks.size(); ++rank) workers_.push_back({.rank = rank});
  live_ = {.host = ranks.hosts()[0],
           .process = ::getpid(),
           .workers = threads,
           .cells = total_,
           .begun_at = progress().done};
  for (const size_t cell : open_cells(job, results, options.shard)) {
    live_.cost_left += job.cells()[cell].cost;
  }
}

Leader::~Leader() {
  std::error_code ignored;
  if (journal_ != nullptr) std::filesystem::remove(live_file_of(options_.journal), ignored);
}

// ---- For threads of this process -----------------------------------------------------------

std::optional<size_t> Leader::next(int thread) {
  std::unique_lock lock(mutex_);
  while (!over()) {
    const auto cells = ledger_.take(worker_of(thread), 1, Clock::now());
    if (!cells.empty()) return cells.front();
    changed_.wait_for(lock, kWaitAlone);
  }
  return std::nullopt;
}

void Leader::deliver(size_t cell, std::span<const double> values) {
  const std::lock_guard lock(mutex_);
  accept(cell, values);
}

void Leader::stop(const std::string& why) {
  const std::lock_guard lock(mutex_);
  stop_for(why);
}

void Leader::fail(const comm::Failure& failure) {
  const std::lock_guard lock(mutex_);
  fail_for(failure);
}

void Leader::give_up() {
  fail({"the farm failed", 1});
}

void Leader::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

// ---- With the mutex held -------------------------------------------------------------------

bool Leader::over() const {
  return failure_ || !stopped_.empty() || ledger_.complete();
}

void Leader::accept(size_t cell, std::span<const double> values) {
  try {
    if (!results_.put(cell, values)) return;
    if (journal_ != nullptr) journal_->write(cell, values);
  } catch (const SystemFailure& error) {
    return fail_for({error.what(), 1});
  }
  ledger_.finish(cell);
  live_.cost += job_.cells()[cell].cost;
  live_.cost_left -= job_.cells()[cell].cost;
  if (ledger_.complete()) changed_.notify_all();
}

void Leader::stop_for(const std::string& why) {
  if (stopped_.empty()) stopped_ = why;
  changed_.notify_all();
}

void Leader::fail_for(const comm::Failure& failure) {
  if (!failure_) failure_ = failure;
  changed_.notify_all();
}

// ---- The serving thread --------------------------------------------------------------------

void Leader::serve() {
  Clock::time_point end{};  // when the others were told
  while (true) {
    const bool busy = read_letters();
    lease_cells();
    look_around();
    std::unique_lock lock(mutex_);
    if (over() && end == Clock::time_point{}) {
      lock.unlock();
      post_end();
      end = Clock::now();
      lock.lock();
    }
    const bool told = end != Clock::time_point{};
    if (told && closed_ && (everybody_gone() || Clock::now() > end + options_.lease)) break;
    if (busy) continue;
    if (workers_.empty()) {
      changed_.wait_for(lock, kWaitAlone, [&] { return closed_ || (over() && !told); });
    } else {
      const milliseconds pause = is_waited_for() ? kPoll : kQuiet;
      lock.unlock();
      std::this_thread::sleep_for(pause);
    }
  }
  if (journal_ != nullptr) journal_->sync();
}

bool Leader::read_letters() {
  bool any = false;
  while (!workers_.empty()) {
    const auto letter = ranks_.take();
    if (!letter) break;
    read(workers_.at(static_cast<size_t>(letter->from) - 1), letter->bytes);
    any = true;
  }
  return any;
}

void Leader::read(Worker& worker, std::span<const std::byte> letter) {
  LetterReader reader(letter);
  const std::lock_guard lock(mutex_);
  switch (reader.take<Subject>()) {
    case Subject::want:
      // Written before the last lease had come, it asks for what that one brings.
      if (reader.take<size_t>() != worker.leases) break;
      worker.wanted = reader.take<size_t>();
      worker.idle = reader.take<size_t>();
      break;
    case Subject::results:
      while (!reader.at_end()) {
        const auto cell = reader.take<size_t>();
        reader.take(std::span(values_));
        accept(cell, values_);
      }
      break;
    case Subject::stop:
      stop_for(reader.take_text());
      break;
    case Subject::failure: {
      const int code = reader.take<int>();
      fail_for({fmt::format("{}: {}", place_of(worker), reader.take_text()), code});
      break;
    }
    case Subject::bye:
      worker.gone = true;
      break;
    default:
      OL_ASSERT(false, "a letter that only the leader writes");
  }
}

// The fewer are left, the smaller the lots: nobody is to hold many while others have none, and the
// last ones go to those alone who have nothing.
void Leader::lease_cells() {
  for (Worker& worker : workers_) {
    if (worker.wanted == 0) continue;
    std::vector<size_t> cells;
    {
      const std::lock_guard lock(mutex_);
      if (over()) return;
      const size_t fair = ledger_.waiting() / (2 * workers_.size() + 2);
      const size_t most = std::min(worker.wanted, std::max(fair, worker.idle));
      cells = ledger_.take(worker.rank, most, Clock::now());
    }
    if (cells.empty()) continue;
    worker.wanted = worker.idle = 0;
    ++worker.leases;
    LetterWriter letter(Subject::lease);
    letter.add(std::span<const size_t>(cells));
    ranks_.post(worker.rank, letter.bytes());
  }
}

void Leader::look_around() {
  const Clock::time_point now = Clock::now();
  if (now - asked_ >= kAskEvery) {
    asked_ = now;
    const std::string why = options_.stop_requested ? options_.stop_requested() : std::string();
    if (!why.empty()) {
      stop(why);
    } else if (options_.max_wall && now - begun_ >= *options_.max_wall) {
      stop("--max-wall");
    }
    report(now);
  }
  if (now - synced_ < kSyncEvery) return;
  synced_ = now;
  for (const Worker& worker : workers_) {
    if (!worker.gone) ranks_.post(worker.rank, LetterWriter(Subject::alive).bytes());
  }
  try {
    if (journal_ != nullptr) journal_->sync();
  } catch (const SystemFailure& error) {
    fail({error.what(), 1});
  }
}

void Leader::report(Clock::time_point now) {
  Live live;
  {
    const std::lock_guard lock(mutex_);
    live_.done = progress().done;
    live_.seconds = std::chrono::duration<double>(now - begun_).count();
    live_.unix_time = std::time(nullptr);
    live = live_;
  }
  if (options_.on_progress) options_.on_progress({.done = live.done, .cells = live.cells});
  if (journal_ == nullptr || now - reported_ < kReportEvery) return;
  reported_ = now;
  try {
    write_live(options_.journal, live);
  } catch (const SystemFailure&) {
    // Nobody is to lose results because their number cannot be told.
  }
}

void Leader::post_end() {
  LetterWriter letter(Subject::end);
  {
    const std::lock_guard lock(mutex_);
    letter.add(failure_ ? failure_->code : 0);
    letter.add(progress());
    told_failure_ = failure_.has_value();
    told_ = ledger_.complete() ? "" : stopped_;
    letter.add(failure_ ? failure_->message : told_);
  }
  for (const Worker& worker : workers_) ranks_.post(worker.rank, letter.bytes());
}

// With the mutex held. Towards the end a result may be the last one.
bool Leader::is_waited_for() const {
  return over() || ledger_.waiting() == 0 ||
         std::ranges::any_of(workers_, [](const Worker& worker) { return worker.idle > 0; });
}

bool Leader::everybody_gone() const {
  return std::ranges::all_of(workers_, &Worker::gone);
}

std::vector<int> Leader::hung() const {
  std::vector<int> ranks;
  for (const Worker& worker : workers_) {
    if (!worker.gone) ranks.push_back(worker.rank);
  }
  return ranks;
}

std::string Leader::place_of(const Worker& worker) const {
  return fmt::format("rank {} on {}", worker.rank,
                     ranks_.hosts()[static_cast<size_t>(worker.rank)]);
}

}  // namespace outerloop::farm
