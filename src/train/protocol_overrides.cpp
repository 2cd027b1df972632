#include "outerloop/train/protocol_overrides.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "outerloop/base/error.h"
#include "outerloop/config/schema.h"
#include "outerloop/config/word.h"

namespace outerloop::train {
namespace {

// What can be set, by the key or, before a '*', by how the key begins.
constexpr auto kAsWritten =
    std::to_array<std::string_view>({"test.*", "runtime.*", "tasks.dataset", "tasks.split"});

// What can be set by the key of training, which is a key of test here. Not inner.batch: its 0 means
// all of the support set, that of test.batch the inner.batch of training.
struct Renamed {
  std::string_view from, to;
};
constexpr auto kRenamed = std::to_array<Renamed>({{"tasks.ways", "test.ways"},
                                                  {"tasks.shots", "test.shots"},
                                                  {"tasks.queries", "test.queries"},
                                                  {"tasks.rotation", "test.rotation"},
                                                  {"tasks.within", "test.within"},
                                                  {"inner.steps", "test.steps"}});

bool is_of(std::string_view key, std::string_view pattern) {
  if (!pattern.ends_with('*')) return key == pattern;
  pattern.remove_suffix(1);
  return key.starts_with(pattern);
}

std::string protocol_override(const std::string& word) {
  const std::string_view key = config::key_of(word);
  const auto renamed = std::ranges::find(kRenamed, key, &Renamed::from);
  if (renamed != kRenamed.end()) return std::string(renamed->to) + word.substr(key.size());
  const auto is_of_key = [&](std::string_view pattern) { return is_of(key, pattern); };
  if (std::ranges::any_of(kAsWritten, is_of_key)) return word;
  if (config::find_key(key) == nullptr) return word;  // refused by the reader, by the nearest key
  std::vector<std::string_view> all(kAsWritten.begin(), kAsWritten.end());
  for (const Renamed& each : kRenamed) all.push_back(each.from);
  throw BadInput(fmt::format("'{}' would change what was learned; these can be set here: {}", word,
                             fmt::join(all, ", ")));
}

}  // namespace

std::vector<std::string> protocol_overrides(std::span<const std::string> words) {
  std::vector<std::string> result;
  for (size_t i = 0; i < words.size(); ++i) {
    // By the key that was written: 0 steps are no steps, but test.steps = 0 means those of
    // training.
    if (const auto refusal = config::refusal_of_word(words[i])) {
      throw BadInput(fmt::format("command line: word {}: {}", i + 1, *refusal));
    }
    std::string word = protocol_override(words[i]);
    const auto earlier = std::ranges::find(result, config::key_of(word), config::key_of);
    if (earlier != result.end()) {
      throw BadInput(fmt::format("'{}' and '{}' set the same thing here; remove one",
                                 words[static_cast<size_t>(earlier - result.begin())], words[i]));
    }
    result.push_back(std::move(word));
  }
  return result;
}

config::ConfigErrors by_written_keys(const config::ConfigErrors& refused,
                                     std::span<const std::string> words) {
  std::vector<std::string> lines = refused.lines();
  for (size_t i = 0; i < words.size(); ++i) {
    const auto renamed = std::ranges::find(kRenamed, config::key_of(words[i]), &Renamed::from);
    if (renamed == kRenamed.end()) continue;
    const std::string place = fmt::format("command line: word {}: ", i + 1);
    for (std::string& line : lines) {
      if (!line.starts_with(fmt::format("{}{}: ", place, renamed->to))) continue;
      line.insert(place.size(), fmt::format("{}, here ", renamed->from));
    }
  }
  return config::ConfigErrors(std::move(lines));
}

}  // namespace outerloop::train
