// From a specification to combinations of overrides.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/config/word.h"
#include "sweep/spec.h"

namespace outerloop::sweep {
namespace {

using Overrides = std::vector<Override>;

double number(const std::string& text) {
  double value = std::nan("");
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double at_share(const Range& range, double share) {
  if (!range.logarithmic) return range.from + share * (range.to - range.from);
  return range.from * std::exp(share * std::log(range.to / range.from));
}

// Within the range, with six digits or whole, as the key takes it.
std::string as_value(const std::string& key, const Range& range, double value) {
  if (config::takes_whole_number(key)) {
    return fmt::format("{}", std::llround(std::clamp(std::round(value), range.from, range.to)));
  }
  const double rounded = number(fmt::format("{:.6g}", value));
  return config::canonical_value(key, fmt::format("{}", std::clamp(rounded, range.from, range.to)));
}

std::vector<std::string> values_of(const Choice& choice) {
  if (!choice.range) return choice.values;
  const Range& range = *choice.range;
  const auto all = static_cast<int64_t>(std::min(range.to - range.from, 1.0 * kMostPoints)) + 1;
  const int64_t points = range.points.value_or(all);
  std::vector<std::string> values;
  for (int64_t i = 0; i < points; ++i) {
    const double share = points == 1 ? 0 : static_cast<double>(i) / static_cast<double>(points - 1);
    values.push_back(as_value(choice.key, range, at_share(range, share)));
  }
  return values;
}

void require_few(size_t points) {
  if (points <= static_cast<size_t>(kMostPoints)) return;
  throw BadInput(fmt::format("the grid has more than {} points; take fewer values", kMostPoints));
}

std::vector<Overrides> grid(const Spec& spec) {
  if (spec.grid.empty()) return {};
  std::vector<Overrides> result{{}};
  for (const Choice& choice : spec.grid) {
    const std::vector<std::string> values = values_of(choice);
    require_few(result.size() * values.size());
    std::vector<Overrides> longer;
    for (const Overrides& start : result) {
      for (const std::string& value : values) {
        longer.push_back(start);
        longer.back().push_back({choice.key, value});
      }
    }
    result = std::move(longer);
  }
  return result;
}

std::string drawn(const Choice& choice, Philox& random) {
  if (!choice.range)
    return choice.values[random.below(static_cast<uint32_t>(choice.values.size()))];
  const Range& range = *choice.range;
  Range drawn_from = range;
  if (config::takes_whole_number(choice.key)) {
    // So that the first and the last are as likely as the others.
    drawn_from.from -= 0.5;
    drawn_from.to += 0.5;
  }
  return as_value(choice.key, range, at_share(drawn_from, random.uniform_double()));
}

// Each draw is a function of (seed, its number, its key) alone.
std::vector<Overrides> draws(const Spec& spec) {
  std::vector<Overrides> result(static_cast<size_t>(spec.random_points));
  for (size_t i = 0; i < result.size(); ++i) {
    for (size_t k = 0; k < spec.random.size(); ++k) {
      Philox random({.seed = static_cast<uint64_t>(spec.random_seed),
                     .purpose = Purpose::search,
                     .iteration = i,
                     .slot = static_cast<uint32_t>(k)});
      result[i].push_back({spec.random[k].key, drawn(spec.random[k], random)});
    }
  }
  return result;
}

}  // namespace

std::vector<Overrides> expand(const Spec& spec) {
  std::vector<Overrides> result = grid(spec);
  std::ranges::copy(spec.list, std::back_inserter(result));
  std::ranges::move(draws(spec), std::back_inserter(result));
  if (spec.grid.empty() && spec.list.empty() && spec.random.empty()) result.emplace_back();
  require_few(result.size());
  return result;
}

bool matches(const std::vector<Choice>& condition, const Overrides& overrides) {
  return std::ranges::all_of(condition, [&](const Choice& choice) {
    const auto found = std::ranges::find(overrides, choice.key, &Override::key);
    if (found == overrides.end()) return false;
    if (!choice.range) return std::ranges::find(choice.values, found->value) != choice.values.end();
    const double value = number(found->value);
    return value >= choice.range->from && value <= choice.range->to;
  });
}

}  // namespace outerloop::sweep
