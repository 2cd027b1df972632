#include "data/image_set_builder.h"

#include <algorithm>
#include <set>

namespace outerloop::data {

void ImageSetBuilder::add(const std::string& class_name, const std::string& group,
                          const std::vector<uint8_t>& pixels, int32_t maker) {
  const auto [place, added] = classes_.try_emplace(class_name);
  Class& entry = place->second;
  if (added) entry.group = group;
  entry.pixels.insert(entry.pixels.end(), pixels.begin(), pixels.end());
  entry.makers.push_back(maker);
}

ImageSet ImageSetBuilder::build() const {
  ImageSet set;
  set.preparation = preparation_;
  set.class_begin.push_back(0);
  std::set<std::string> groups;
  for (const auto& [name, entry] : classes_) {
    set.class_names.push_back(name);
    set.pixels.insert(set.pixels.end(), entry.pixels.begin(), entry.pixels.end());
    set.image_maker.insert(set.image_maker.end(), entry.makers.begin(), entry.makers.end());
    set.class_begin.push_back(static_cast<int64_t>(set.image_maker.size()));
    groups.insert(entry.group);
  }
  if (std::ranges::find(set.image_maker, kUnknownMaker) != set.image_maker.end()) {
    set.image_maker.clear();
  }
  if (groups.empty() || groups.rbegin()->empty()) return set;
  set.group_names.assign(groups.begin(), groups.end());
  for (const auto& [name, entry] : classes_) {
    const auto at = std::ranges::lower_bound(set.group_names, entry.group);
    set.class_group.push_back(static_cast<int32_t>(at - set.group_names.begin()));
  }
  return set;
}

}  // namespace outerloop::data
