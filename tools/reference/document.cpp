#include "reference/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "outerloop/base/error.h"

namespace outerloop::reference {

double Document::number(const std::string& path) const {
  const std::vector<double> values = numbers(path);
  if (values.size() == 1) return values[0];
  throw BadInput(fmt::format("{}: {}: expected one number, got {}", name(), path, values.size()));
}

size_t Document::count(const std::string& path, size_t most) const {
  const double value = number(path);
  if (value >= 0 && value <= static_cast<double>(most) && value == std::floor(value)) {
    return static_cast<size_t>(value);
  }
  throw BadInput(
      fmt::format("{}: {}: expected a whole number up to {}, got {}", name(), path, most, value));
}

namespace {

// "a/b/c": "a/b" and "c".
std::pair<std::string, std::string> split(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return {"/", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

bool Hdf5Document::exists(const std::string& path) const {
  if (file_.exists(path)) return true;
  const auto [group, member] = split(path);
  return file_.exists(group) && file_.has_attribute(group, member);
}

std::vector<std::string> Hdf5Document::list(const std::string& group) const {
  return file_.list(group);
}

std::vector<double> Hdf5Document::numbers(const std::string& path) const {
  return file_.read(path).to_doubles();
}

size_t Hdf5Document::rows(const std::string& path) const {
  const Shape shape = file_.info(path).shape;
  return shape.rank() == 0 ? 1 : static_cast<size_t>(shape[0]);
}

std::string Hdf5Document::text(const std::string& path) const {
  const auto [group, member] = split(path);
  const std::string value = file_.attribute_text(group, member);
  return value == "none" ? "" : value;
}

std::vector<std::string> Hdf5Document::unread() const {
  return file_.unread();
}

using Json = nlohmann::ordered_json;

struct JsonDocument::Content {
  Json root;

  // Null when there is no such object.
  const Json* find(const std::string& path) const;
};

namespace {

bool is_named(const Json& item) {
  return item.is_object() && item.contains("name") && item["name"].is_string();
}

const Json* member(const Json& parent, const std::string& name) {
  if (parent.is_object()) {
    const auto place = parent.find(name);
    return place == parent.end() ? nullptr : &*place;
  }
  if (!parent.is_array()) return nullptr;
  for (const Json& item : parent) {
    if (is_named(item) && item["name"].get_ref<const std::string&>() == name) return &item;
  }
  return nullptr;
}

// False when it is neither a number nor something that stands for one.
bool append_number(std::vector<double>& numbers, const Json& value) {
  if (value.is_boolean()) {
    numbers.push_back(value.get<bool>() ? 1 : 0);
  } else if (value.is_null()) {
    numbers.push_back(std::numeric_limits<double>::quiet_NaN());
  } else if (value.is_number()) {
    numbers.push_back(value.get<double>());
  } else {
    return false;
  }
  return true;
}

// Appends a scalar, a list or a list of lists of equal length.
bool append_numbers(std::vector<double>& numbers, const Json& value) {
  if (!value.is_array()) return append_number(numbers, value);
  for (const Json& item : value) {
    if (item.is_array() != value[0].is_array() || item.size() != value[0].size()) return false;
    if (!item.is_array()) {
      if (!append_number(numbers, item)) return false;
      continue;
    }
    for (const Json& number : item) {
      if (!append_number(numbers, number)) return false;
    }
  }
  return true;
}

bool holds_number(const Json& value) {
  if (!value.is_array()) return value.is_number() || value.is_boolean();
  return std::ranges::any_of(value, holds_number);
}

// Appends the paths of what numbers() takes.
void append_numeric(std::vector<std::string>& paths, const std::string& path, const Json& value) {
  const auto is_object = [](const Json& item) { return item.is_object(); };
  if (!value.is_object() && std::ranges::none_of(value, is_object)) {
    if (holds_number(value)) paths.push_back(path);
    return;
  }
  for (const auto& [key, item] : value.items()) {
    const std::string name =
        value.is_array() && is_named(item) ? item["name"].get<std::string>() : key;
    append_numeric(paths, path.empty() ? name : path + "/" + name, item);
  }
}

}  // namespace

const Json* JsonDocument::Content::find(const std::string& path) const {
  const Json* place = &root;
  for (size_t start = 0; place != nullptr && start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    place = member(*place, path.substr(start, end - start));
    start = end + 1;
  }
  return place;
}

JsonDocument::JsonDocument(const std::filesystem::path& file)
    : file_(file), content_(std::make_unique<Content>()) {
  std::ifstream stream(file);
  if (!stream) throw BadInput(fmt::format("{}: cannot be opened", file.string()));
  try {
    content_->root = Json::parse(stream);
  } catch (const Json::parse_error& error) {
    throw BadInput(fmt::format("{}: no valid JSON at byte {}", file.string(), error.byte));
  }
}

JsonDocument::~JsonDocument() = default;

bool JsonDocument::exists(const std::string& path) const {
  const Json* place = content_->find(path);
  return place != nullptr && !place->is_null();
}

std::vector<std::string> JsonDocument::list(const std::string& group) const {
  std::vector<std::string> names;
  const Json* place = content_->find(group);
  if (place != nullptr && place->is_object()) {
    for (const auto& [key, value] : place->items()) names.push_back(key);
    return names;
  }
  const bool named = place != nullptr && place->is_array() && std::ranges::all_of(*place, is_named);
  if (!named) throw BadInput(fmt::format("{}: {}: expected a group", name(), group));
  for (const Json& item : *place) {
    names.push_back(item["name"].get<std::string>());
    if (std::ranges::count(names, names.back()) == 1) continue;
    throw BadInput(fmt::format("{}: {}: two are called '{}'", name(), group, names.back()));
  }
  return names;
}

std::vector<double> JsonDocument::numbers(const std::string& path) const {
  read_.insert(path);
  const Json* place = content_->find(path);
  std::vector<double> values;
  if (place != nullptr && append_numbers(values, *place)) return values;
  throw BadInput(fmt::format("{}: {}: expected numbers, {}", name(), path,
                             place == nullptr ? "nothing is there" : "got something else"));
}

size_t JsonDocument::rows(const std::string& path) const {
  const Json* place = content_->find(path);
  return place != nullptr && place->is_array() ? place->size() : 1;
}

std::string JsonDocument::text(const std::string& path) const {
  const Json* place = content_->find(path);
  if (place == nullptr || place->is_null()) return "";
  if (place->is_string()) return place->get<std::string>();
  throw BadInput(fmt::format("{}: {}: expected a text", name(), path));
}

std::vector<std::string> JsonDocument::unread() const {
  std::vector<std::string> paths;
  append_numeric(paths, "", content_->root);
  std::erase_if(paths, [&](const std::string& path) { return read_.contains(path); });
  return paths;
}

}  // namespace outerloop::reference
