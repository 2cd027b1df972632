#pragma once
// Features whose values change rows together.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace outerloop::interp {

struct FeatureGroup {
  std::string name;
  std::vector<uint32_t> columns;  // rising
};

// A group as a user writes it.
struct NamedGroup {
  std::string name;
  std::vector<std::string> columns;
};

// The named groups in their order, then each column that is in none as a group of its own. Throws
// BadInput with one line on an unknown column, an empty group, a column in two groups or a name
// that two groups have.
std::vector<FeatureGroup> feature_groups(std::span<const std::string> columns,
                                         std::span<const NamedGroup> groups = {});

}  // namespace outerloop::interp
