#include "train/time_log.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace outerloop::train {
namespace {

Effort last_effort(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string last;
  for (std::string line; std::getline(in, line);) last = std::move(line);
  const nlohmann::json json = nlohmann::json::parse(last, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return {};
  return {.iterations = json.value("iterations_here", int64_t{0}),
          .wall_s = json.value("wall_s", 0.0)};
}

}  // namespace

TimeLog::TimeLog(const RunFolder& folder, int64_t iteration)
    : lines_(folder.time(), iteration), earlier_(last_effort(folder.time())) {}

void TimeLog::record(int64_t iteration, const Effort& effort) {
  const nlohmann::ordered_json line{
      {"iteration", iteration}, {"iterations_here", effort.iterations}, {"wall_s", effort.wall_s}};
  lines_.append(line.dump());
}

}  // namespace outerloop::train
