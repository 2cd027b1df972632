#pragma once
// What a run says of itself while it is under way, in a file beside its journal: JOURNAL.live. It
// holds what the journal cannot, as equal results are to be equal bytes.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace outerloop::farm {

struct Live {
  std::string host;
  int64_t process = 0;
  int64_t workers = 0;   // threads on all ranks
  int64_t cells = 0;     // of the shard
  int64_t done = 0;      // of these
  int64_t begun_at = 0;  // that were done when the run began
  double seconds = 0;    // since then
  double cost = 0;       // of the cells done since then
  double cost_left = 0;
  int64_t unix_time = 0;  // of writing
};

std::filesystem::path live_file_of(const std::filesystem::path& journal);

void write_live(const std::filesystem::path& journal, const Live& live);
// Nothing when there is none that can be read.
std::optional<Live> read_live(const std::filesystem::path& journal);

}  // namespace outerloop::farm
