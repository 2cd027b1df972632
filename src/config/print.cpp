#include "outerloop/config/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "config/value.h"
#include "outerloop/base/hash.h"
#include "outerloop/config/schema.h"
#include "outerloop/config/suggest.h"

namespace outerloop::config {
namespace {

std::string_view section_of(std::string_view path) {
  const auto dot = path.rfind('.');
  return dot == path.npos ? std::string_view{} : path.substr(0, dot);
}

// Writes the headings of the sections that enclose `section` but not `before`.
void open_sections(std::string& out, std::string_view before, std::string_view section) {
  int depth = 0;
  for (std::size_t begin = 0; begin < section.size(); ++depth) {
    const std::size_t end = std::min(section.find('.', begin), section.size());
    const std::string_view path = section.substr(0, end);
    const bool is_open = before == path || (before.starts_with(path) && before[end] == '.');
    if (!is_open) {
      fmt::format_to(std::back_inserter(out), "{:{}}{}:\n", "", 2 * depth,
                     section.substr(begin, end - begin));
    }
    begin = end + 1;
  }
}

// All keys as YAML; `comment` gives the text after each, empty = none.
template <class Comment>
std::string yaml(const Config& config, Comment comment) {
  std::string out;
  std::string_view before;
  for (const Key& key : schema()) {
    const std::string_view section = section_of(key.path);
    open_sections(out, before, section);
    before = section;
    const auto depth = std::ranges::count(key.path, '.');
    const std::string line =
        fmt::format("{:{}}{}: {}", "", 2 * depth, key.path.substr(key.path.rfind('.') + 1),
                    format_value(key, config));
    const std::string remark = comment(key);
    out += remark.empty() ? line : fmt::format("{:<40}  # {}", line, remark);
    out += '\n';
  }
  return out;
}

std::string default_text(const Key& key) {
  return format_value(key, Config{});
}

std::string help_of(const Key& key) {
  std::string out = fmt::format("{}: {}\n", key.path, key.help);
  fmt::format_to(std::back_inserter(out), "  value    {}\n", expectation(key));
  if (!key.unit.empty()) fmt::format_to(std::back_inserter(out), "  unit     {}\n", key.unit);
  fmt::format_to(std::back_inserter(out), "  default  {}\n", default_text(key));
  return out;
}

}  // namespace

std::string to_yaml(const Config& config) {
  return yaml(config, [](const Key&) { return std::string(); });
}

std::string describe_origins(const Resolved& resolved) {
  return yaml(resolved.config, [&](const Key& key) {
    const auto place = static_cast<std::size_t>(&key - schema().data());
    std::string origin = resolved.origins.at(place);
    return key.unit.empty() ? origin : fmt::format("{}; {}", origin, key.unit);
  });
}

std::string config_hash(const Config& config) {
  std::string text;
  for (const Key& key : schema()) {
    if (!key.changes_results && !key.once_changed_results) continue;
    const std::string value = key.changes_results ? format_value(key, config) : default_text(key);
    if (key.newer && value == default_text(key)) continue;
    fmt::format_to(std::back_inserter(text), "{}: {}\n", key.path, value);
  }
  return to_hex(xxh3_128(std::as_bytes(std::span(text))));
}

std::vector<KeyDifference> differences(const Config& first, const Config& second) {
  std::vector<KeyDifference> result;
  for (const Key& key : schema()) {
    if (!key.changes_results) continue;
    KeyDifference pair{key.path, format_value(key, first), format_value(key, second)};
    if (pair.first != pair.second) result.push_back(std::move(pair));
  }
  return result;
}

Config without_incidentals(const Config& config) {
  Config result = config;
  const Config defaults;
  for (const Key& key : schema()) {
    if (!key.changes_results) copy_value(key, defaults, result);
  }
  return result;
}

std::string help_all() {
  std::string out;
  for (const Key& key : schema()) {
    fmt::format_to(std::back_inserter(out), "{:<32} {}\n", key.path, key.help);
  }
  return out +
         "`outerloop config help inner` (or another section or key) adds values, units and "
         "defaults\n";
}

std::string help(std::string_view key_or_section) {
  if (const Key* key = find_key(key_or_section)) return help_of(*key);
  if (!is_section(key_or_section)) throw BadInput(unknown_key(key_or_section));
  std::string out;
  for (const std::string_view path : keys_of_section(key_or_section)) {
    out += help_of(*find_key(path));
  }
  return out;
}

}  // namespace outerloop::config
