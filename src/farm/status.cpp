#include "outerloop/farm/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "farm/identity.h"
#include "farm/journal_file.h"
#include "farm/live.h"
#include "outerloop/base/duration.h"

namespace outerloop::farm {
namespace {

std::string duration(double seconds) {
  constexpr double kLongest = 1e9;  // keeps the conversion defined
  return format_duration(
      std::chrono::seconds(static_cast<int64_t>(std::clamp(seconds, 0.0, kLongest))));
}

std::string describe_running(const Live& live, int64_t all_cells) {
  std::string text = fmt::format("running on {} (process {}), {} threads, for {}\n", live.host,
                                 live.process, live.workers, duration(live.seconds));
  const int64_t now_done = live.done - live.begun_at;
  if (now_done <= 0 || live.seconds <= 0) return text + "no cell has been finished yet\n";
  text += fmt::format("{:.3g} cells/s", static_cast<double>(now_done) / live.seconds);
  if (live.cost > 0)
    text += fmt::format(", {} left", duration(live.seconds * live.cost_left / live.cost));
  if (live.cells != all_cells) text += fmt::format(", cells of its shard: {}", live.cells);
  return text + "\n";
}

}  // namespace

std::string describe_status(const std::filesystem::path& journal) {
  const JournalContent content = read_journal(journal);
  const Results& results = content.results;
  const auto cells = static_cast<double>(results.cells());
  std::string text = fmt::format(
      "{}: job {} ({}), {} of {} cells done ({:.1f}%)\n", journal.string(), content.manifest.name,
      identity_of(content.manifest, results.columns(), results.keys()).substr(0, 8), results.done(),
      results.cells(), 100 * static_cast<double>(results.done()) / cells);
  if (!content.damaged.empty()) {
    text += fmt::format("{} damaged results will run again\n", content.damaged.size());
  }
  const bool running = FileLock::is_taken(lock_of(journal));
  const auto live = read_live(journal);
  if (running && live) {
    return text + describe_running(*live, static_cast<int64_t>(results.cells()));
  }
  if (running) return text + "a run has just begun\n";
  if (results.complete()) return text + "complete\n";
  return text + "not running; the same command goes on\n";
}

}  // namespace outerloop::farm
