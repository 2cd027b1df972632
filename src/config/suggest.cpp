#include "outerloop/config/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "outerloop/base/edit_distance.h"
#include "outerloop/config/schema.h"

namespace outerloop::config {
namespace {

constexpr std::size_t kLongestShown = 60;

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

// Every name that could have been meant: sections and keys.
std::vector<std::string_view> all_paths() {
  std::vector<std::string_view> paths;
  for (const Key& key : schema()) {
    for (auto dot = key.path.find('.'); dot != key.path.npos; dot = key.path.find('.', dot + 1)) {
      const std::string_view section = key.path.substr(0, dot);
      if (std::ranges::find(paths, section) == paths.end()) paths.push_back(section);
    }
    paths.push_back(key.path);
  }
  return paths;
}

std::vector<std::string_view> keys_ending_with(std::string_view name) {
  std::vector<std::string_view> found;
  for (const Key& key : schema()) {
    if (last_part(key.path) == name) found.push_back(key.path);
  }
  return found;
}

// The nearest of the keys below one section, by their last parts.
std::optional<std::string_view> nearest_in_section(std::string_view path) {
  const auto dot = path.rfind('.');
  if (dot == path.npos) return std::nullopt;
  std::vector<std::string_view> names;
  for (const std::string_view key : keys_of_section(path.substr(0, dot))) {
    names.push_back(key.substr(dot + 1));
  }
  const auto nearest = nearest_word(path.substr(dot + 1), names);
  if (!nearest) return std::nullopt;
  return find_key(std::string(path.substr(0, dot + 1)) + std::string(*nearest))->path;
}

}  // namespace

std::vector<std::string_view> keys_of_section(std::string_view section) {
  std::vector<std::string_view> keys;
  for (const Key& key : schema()) {
    if (key.path.starts_with(section) && key.path.substr(section.size()).starts_with('.')) {
      keys.push_back(key.path);
    }
  }
  return keys;
}

std::vector<std::string_view> likely_meant(std::string_view path) {
  if (path.size() > kLongestShown) return {};
  if (const auto near = nearest_in_section(path)) return {*near};
  if (auto same = keys_ending_with(last_part(path)); !same.empty()) return same;
  if (const auto near = nearest_word(path, all_paths())) return {*near};
  return {};
}

std::string unknown_key(std::string_view path) {
  const bool is_long = path.size() > kLongestShown;
  std::string text =
      fmt::format("unknown key '{}{}'", path.substr(0, kLongestShown), is_long ? "..." : "");
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  if (is_long) return text;

  if (const auto meant = likely_meant(path); !meant.empty()) {
    return text + fmt::format("; did you mean '{}'?", fmt::join(meant, "' or '"));
  }
  const std::string_view section = path.substr(0, std::min(path.size(), path.rfind('.')));
  if (is_section(section)) {
    return text + fmt::format("; '{}' has: {}", section, fmt::join(keys_of_section(section), ", "));
  }
  return text + "; `outerloop config help` lists all keys";
}

std::string unknown_among(std::string_view kind, std::string_view name,
                          std::span<const std::string_view> there) {
  if (const auto near = nearest_word(name, there)) {
    return fmt::format("unknown {} '{}'; did you mean '{}'?", kind, name, *near);
  }
  return fmt::format("unknown {} '{}'; there are {}", kind, name, fmt::join(there, ", "));
}

std::string not_yaml(std::string_view text, int line, std::string_view reason) {
  for (int i = 0; i < line; ++i) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const bool may_be_tab =
      reason.find("map value") != reason.npos || reason.find("tab") != reason.npos;
  const bool has_tab = may_be_tab && line >= 0 &&
                       text.substr(0, text.find_first_not_of(" \t")).find('\t') != text.npos;
  return fmt::format("not readable as YAML: {}{}", reason,
                     has_tab ? "; the line is indented with a tab: write spaces" : "");
}

}  // namespace outerloop::config
