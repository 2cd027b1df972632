#pragma once
// Collects images by class in any order and makes the set of them.

#include <map>
#include <string>
#include <vector>

#include "outerloop/data/image_set.h"

namespace outerloop::data {

inline constexpr int32_t kUnknownMaker = -1;

class ImageSetBuilder {
 public:
  explicit ImageSetBuilder(const ImagePreparation& preparation) : preparation_(preparation) {}

  // A class keeps the group of its first image; an empty group is no group. Images of a class keep
  // the order in which they came.
  void add(const std::string& class_name, const std::string& group,
           const std::vector<uint8_t>& pixels, int32_t maker = kUnknownMaker);

  size_t classes() const { return classes_.size(); }

  // Classes and groups sorted by name. There are groups when any class has one, makers when every
  // image has one. Name, licence, source and splits are left to the caller.
  ImageSet build() const;

 private:
  struct Class {
    std::string group;
    std::vector<uint8_t> pixels;
    std::vector<int32_t> makers;
  };

  ImagePreparation preparation_;
  std::map<std::string, Class> classes_;
};

}  // namespace outerloop::data
