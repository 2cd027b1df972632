#include "outerloop/interp/feature_groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "outerloop/base/edit_distance.h"
#include "outerloop/base/error.h"

namespace outerloop::interp {

namespace {

uint32_t place_of(const std::string& column, std::span<const std::string> columns,
                  const std::string& group) {
  const auto found = std::ranges::find(columns, column);
  if (found != columns.end()) return static_cast<uint32_t>(found - columns.begin());
  const std::vector<std::string_view> names(columns.begin(), columns.end());
  const auto near = nearest_word(column, names);
  throw BadInput(near ? fmt::format("group '{}': no feature is called '{}'; did you mean '{}'?",
                                    group, column, *near)
                      : fmt::format("group '{}': no feature is called '{}'; there are {}", group,
                                    column, fmt::join(names, ", ")));
}

}  // namespace

std::vector<FeatureGroup> feature_groups(std::span<const std::string> columns,
                                         std::span<const NamedGroup> groups) {
  std::vector<FeatureGroup> result;
  std::vector<const std::string*> owner(columns.size());
  std::set<std::string_view> names;
  for (const NamedGroup& group : groups) {
    if (group.columns.empty()) {
      throw BadInput(fmt::format("group '{}' is empty; name a feature or remove it", group.name));
    }
    FeatureGroup& made = result.emplace_back(FeatureGroup{.name = group.name});
    for (const std::string& column : group.columns) {
      const uint32_t place = place_of(column, columns, group.name);
      if (owner[place] == &group.name) {
        throw BadInput(
            fmt::format("group '{}' names feature '{}' twice; name it once", group.name, column));
      }
      if (owner[place] != nullptr) {
        throw BadInput(
            fmt::format("feature '{}' is in group '{}' and in group '{}'; groups must "
                        "not overlap",
                        column, *owner[place], group.name));
      }
      owner[place] = &group.name;
      made.columns.push_back(place);
    }
    std::ranges::sort(made.columns);
  }
  for (uint32_t j = 0; j < columns.size(); ++j) {
    if (owner[j] == nullptr) result.push_back({columns[j], {j}});
  }
  for (const FeatureGroup& group : result) {
    if (names.insert(group.name).second) continue;
    throw BadInput(fmt::format("two groups of features are called '{}'; rename one", group.name));
  }
  return result;
}

}  // namespace outerloop::interp
