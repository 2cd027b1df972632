#pragma once
// Round numbers along an axis.

#include <string>
#include <vector>

namespace outerloop::report {

// Multiples of 1, 2 or 5 times a power of ten within [low, high], `most` at most.
std::vector<double> linear_ticks(double low, double high, int most, bool whole_numbers = false);

// Powers of ten within [low, high], with 2 and 5 times them where they are few; low > 0.
std::vector<double> log_ticks(double low, double high);

enum class Unit { number, percent };  // percent: values are fractions

// "0.05", "20,000", "95 %", "2e-13". All with the digits that the finest needs, or each with its
// own.
std::vector<std::string> tick_labels(const std::vector<double>& ticks, Unit unit,
                                     bool same_digits = true);

// "96.4 %", "0.1882", "20,000".
std::string in_words(double value, Unit unit);
// "12,345"
std::string with_commas(long long value);

}  // namespace outerloop::report
