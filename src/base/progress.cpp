#include "outerloop/base/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/duration.h"

namespace outerloop {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::string_view kClearLine = "\r\x1b[K";

double seconds(Progress::Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string format_rate(double rate, const Progress::Options& options) {
  if (rate >= 100) return fmt::format(", {:.0f} {}/s", rate, options.unit);
  if (rate >= 1) return fmt::format(", {:.1f} {}/s", rate, options.unit);
  if (rate > 0) return fmt::format(", {:.1f} s/{}", 1 / rate, options.one);
  return {};
}

}  // namespace

Progress::Progress(Options options, Write write, Clock::time_point now)
    : options_(std::move(options)), write_(std::move(write)), begin_(now), shown_(now) {}

double Progress::rate(Clock::time_point now) const {
  const double elapsed = seconds(now - begin_);
  return elapsed > 0 ? static_cast<double>(last_.done - options_.start.value_or(0)) / elapsed : 0;
}

// "1200/5000  24%, 35.1 it/s, 1m48s left, loss 0.1234, accuracy 96.1%"
std::string Progress::line(Clock::time_point now) const {
  const double speed = rate(now);
  const double share = options_.total > 0
                           ? static_cast<double>(last_.done) / static_cast<double>(options_.total)
                           : 1;
  std::string text = fmt::format("{}/{} {:3.0f}%{}", last_.done, options_.total, 100 * share,
                                 format_rate(speed, options_));
  if (speed > 0 && last_.done < options_.total) {
    constexpr double kLongest = 1e9;  // seconds; keeps the conversion defined
    const double left = static_cast<double>(options_.total - last_.done) / speed;
    const auto whole = static_cast<std::int64_t>(std::min(left, kLongest));
    text += fmt::format(", {} left", format_duration(std::chrono::seconds(whole)));
  }
  if (last_.loss) text += fmt::format(", loss {:.4g}", *last_.loss);
  if (last_.accuracy) text += fmt::format(", accuracy {:.1f}%", 100 * *last_.accuracy);
  return text;
}

std::string Progress::bar_line(Clock::time_point now) const {
  const std::string text = line(now);
  const int room = options_.terminal.width - static_cast<int>(text.size()) - 4;
  const int width = std::min(30, room);
  if (width < 5) return text.substr(0, static_cast<std::size_t>(options_.terminal.width - 1));
  const double share = options_.total > 0
                           ? static_cast<double>(last_.done) / static_cast<double>(options_.total)
                           : 1;
  const int full = std::clamp(static_cast<int>(share * width), 0, width);
  std::string bar = std::string(static_cast<std::size_t>(full), '=') +
                    std::string(static_cast<std::size_t>(width - full), ' ');
  if (options_.terminal.color) bar = "\x1b[36m" + bar + "\x1b[0m";
  return "[" + bar + "] " + text;
}

void Progress::show(Clock::time_point now) {
  if (options_.terminal.interactive) {
    write_(std::string(kClearLine) + bar_line(now));
    drawn_ = true;
  } else {
    write_(line(now) + "\n");
  }
  shown_ = now;
  shown_done_ = last_.done;
}

void Progress::update(const Sample& sample, Clock::time_point now) {
  last_ = sample;
  // The first sample is late by all that was made ready before it.
  if (!options_.start) {
    options_.start = sample.done;
    begin_ = now;
  }
  const auto wait = options_.terminal.interactive
                        ? Clock::duration(kRedraw)
                        : std::chrono::duration_cast<Clock::duration>(
                              std::chrono::duration<double>(options_.line_every_seconds));
  if (!any_ || now - shown_ >= wait) show(now);
  any_ = true;
}

void Progress::finish(Clock::time_point now) {
  if (!any_) return;
  const bool stands = !options_.terminal.interactive && shown_done_ == last_.done;
  if (!stands) show(now);
  if (drawn_) write_("\n");
  drawn_ = any_ = false;
}

void Progress::clear() {
  if (drawn_) write_(kClearLine);
  drawn_ = false;
}

}  // namespace outerloop
