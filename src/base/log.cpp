#include "outerloop/base/log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>

#include "outerloop/base/error.h"

namespace outerloop {
namespace {

class File {
 public:
  explicit File(const std::filesystem::path& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
    if (fd_ >= 0) return;
    throw SystemFailure(
        fmt::format("{}: cannot open the log file: {}; check the run folder's rights",
                    path.string(), std::strerror(errno)));
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void append(std::string_view line) {
    [[maybe_unused]] const ssize_t written = ::write(fd_, line.data(), line.size());
  }

 private:
  int fd_;
};

std::string timestamp() {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const auto millis = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(now)),
                     millis);
}

}  // namespace

std::string_view name(LogLevel level) {
  constexpr std::array<std::string_view, 3> kNames{"error", "warning", "info"};
  return kNames[static_cast<std::size_t>(level)];
}

void Log::add(LogLevel most, LogSink sink) {
  entries_.push_back({most, std::move(sink)});
}

bool Log::wanted(LogLevel level) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [level](const Entry& entry) { return level <= entry.most; });
}

void Log::emit(LogLevel level, std::string_view message) {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_) {
    if (level <= entry.most) entry.sink(level, message);
  }
}

LogSink file_sink(const std::filesystem::path& file) {
  std::error_code ignored;  // opening the file reports what is wrong
  std::filesystem::create_directories(file.parent_path(), ignored);
  return [target = std::make_shared<File>(file)](LogLevel level, std::string_view message) {
    target->append(fmt::format("{} {} {}\n", timestamp(), name(level), message));
  };
}

}  // namespace outerloop
