#include "cli/long_run.h"

#include <fmt/format.h>
#include <string.h>

#include "outerloop/base/duration.h"
#include "outerloop/base/error.h"

namespace outerloop::cli {

std::string name_of_signal(int signal) {
  return signal == 0 ? std::string() : fmt::format("SIG{}", sigabbrev_np(signal));
}

std::string line_of(LogLevel level, std::string_view message) {
  return fmt::format("{}{}\n", level == LogLevel::warning ? "warning: " : "", message);
}

std::chrono::seconds duration_of(std::string_view option, const std::string& text) {
  try {
    return parse_duration(text);
  } catch (const BadInput& error) {
    throw BadInput(fmt::format("{}: {}", option, error.what()));
  }
}

std::optional<std::chrono::seconds> max_wall_of(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  const std::chrono::seconds wall = duration_of("--max-wall", *text);
  if (wall == std::chrono::seconds(0)) throw BadInput("--max-wall: expected more than 0s");
  return wall;
}

}  // namespace outerloop::cli
