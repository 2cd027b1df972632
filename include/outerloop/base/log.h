#pragma once
// Messages of a run. A Log is passed to whoever has something to say; there is no global one.

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <mutex>
#include <string_view>
#include <vector>

namespace outerloop {

enum class LogLevel { error, warning, info };

std::string_view name(LogLevel level);

// Receives one message without a line end. Calls do not overlap.
using LogSink = std::function<void(LogLevel, std::string_view)>;

// Safe to use from any thread.
class Log {
 public:
  // Without sinks everything is dropped.
  Log() = default;
  // Adds a sink for messages up to `most`.
  void add(LogLevel most, LogSink sink);

  template <class... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::error, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warning(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::warning, text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::info, text, std::forward<Args>(args)...);
  }

 private:
  struct Entry {
    LogLevel most;
    LogSink sink;
  };
  template <class... Args>
  void write(LogLevel level, fmt::format_string<Args...> text, Args&&... args) {
    if (wanted(level)) emit(level, fmt::format(text, std::forward<Args>(args)...));
  }
  bool wanted(LogLevel level) const;
  void emit(LogLevel level, std::string_view message);

  std::mutex mutex_;
  std::vector<Entry> entries_;
};

// Appends "2024-05-03T12:00:00.123Z info message" lines to `file`, each by one write(2), making the
// folder if need be. Throws SystemFailure when the file cannot be opened; a full disk later drops
// lines, because a run must not die of its log.
LogSink file_sink(const std::filesystem::path& file);

}  // namespace outerloop
