#include "train/metrics_log.h"

#include <fmt/format.h>

#include "outerloop/base/error.h"

namespace outerloop::train {
namespace {

io::EventWriter open_events(const std::filesystem::path& folder, int64_t iteration) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(folder, error);
  if (error) {
    throw SystemFailure(fmt::format("{}: cannot create: {}", folder.string(), error.message()));
  }
  return io::EventWriter(folder, is_new ? -1 : iteration);
}

}  // namespace

MetricsLog::MetricsLog(const RunFolder& folder, int64_t iteration)
    : lines_(folder.metrics(), iteration), events_(open_events(folder.events(), iteration)) {}

void MetricsLog::record(const nlohmann::ordered_json& line) {
  lines_.append(line.dump());
  const auto kind = line.at("kind").get<std::string>();
  const auto iteration = line.at("iteration").get<int64_t>();
  for (const auto& [name, value] : line.items()) {
    if (value.is_number_float()) {
      events_.scalar(fmt::format("{}/{}", kind, name), iteration, value.get<double>());
    }
  }
}

}  // namespace outerloop::train
