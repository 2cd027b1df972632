#include "report/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace outerloop::report {
namespace {

constexpr double kMostWhole = 1e15;  // more digits than anybody reads, and near what a double has
constexpr int kMostDigits = 9;       // after the point

// The smallest 1, 2 or 5 times a power of ten that is not below x > 0.
double round_up(double x) {
  const double power = std::pow(10.0, std::floor(std::log10(x)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= x * (1 - 1e-9)) return digit * power;
  }
  return 10 * power;
}

// Digits after the point that a round number has; kMostDigits + 1 where it has more than that.
int digits_of(double value) {
  int digits = 0;
  for (double power = 1; digits <= kMostDigits; ++digits, power *= 10) {
    const double scaled = value * power;
    if (std::abs(std::round(scaled) - scaled) <= 1e-6 * std::abs(scaled)) break;
  }
  return digits;
}

std::string plain(double value, int digits) {
  if (std::abs(value) >= kMostWhole || digits > kMostDigits) return fmt::format("{:g}", value);
  if (std::abs(value) >= 1000 && digits == 0) return with_commas(std::llround(value));
  std::string text = fmt::format("{:.{}f}", value, digits);
  return text.starts_with('-') && text.find_first_not_of("-0.") == text.npos ? text.substr(1)
                                                                             : text;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int most, bool whole_numbers) {
  if (!(high > low)) return {low};
  double step = round_up((high - low) / std::max(1, most - 1));
  if (whole_numbers) step = std::max(1.0, step);
  std::vector<double> ticks;
  const auto first = static_cast<long long>(std::ceil(low / step - 1e-6));
  const auto last = static_cast<long long>(std::floor(high / step + 1e-6));
  for (long long i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high) {
  const double decades = std::log10(high / low);
  std::vector<double> ticks;
  for (int e = static_cast<int>(std::floor(std::log10(low))); std::pow(10.0, e) <= high; ++e) {
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double tick = digit * std::pow(10.0, e);
      const bool wanted = digit == 1.0 || decades < 2.2;
      if (wanted && tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks;
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks, Unit unit,
                                     bool same_digits) {
  const double scale = unit == Unit::percent ? 100 : 1;
  int finest = 0;
  for (const double tick : ticks) finest = std::max(finest, digits_of(scale * tick));
  std::vector<std::string> labels;
  for (const double tick : ticks) {
    const int digits = same_digits ? finest : digits_of(scale * tick);
    labels.push_back(plain(scale * tick, digits) + (unit == Unit::percent ? " %" : ""));
  }
  return labels;
}

std::string in_words(double value, Unit unit) {
  if (!std::isfinite(value)) return "not finite";
  if (unit == Unit::percent) return fmt::format("{:.1f} %", 100 * value);
  if (std::abs(value) >= 10000 && std::abs(value) < kMostWhole)
    return with_commas(std::llround(value));
  return fmt::format("{:.3g}", value);
}

std::string with_commas(long long value) {
  return fmt::format("{}{}", value < 0 ? "-" : "", fmt::group_digits(std::abs(value)));
}

}  // namespace outerloop::report
