#pragma once
// A small image set whose pixels tell class and image.

#include "outerloop/data/image_set.h"

namespace outerloop::data {

// 4 x 4 grey images; the first pixel is the class, the second the image within it, the rest make
// turned images differ. Class c is in group c / 6; the classes are split 12 / 6 / 6.
inline ImageSet small_set(int classes = 24, int images_per_class = 5) {
  ImageSet set;
  set.name = "small";
  set.licence = "public domain\nsecond line";
  set.source = "made by a test";
  set.preparation = {.height = 4, .width = 4, .channels = 1};
  set.class_begin = {0};
  for (int c = 0; c < classes; ++c) {
    set.class_names.push_back("class" + std::to_string(100 + c));
    set.class_group.push_back(c / 6);
    if (c % 6 == 0) set.group_names.push_back("group" + std::to_string(c / 6));
    for (int i = 0; i < images_per_class; ++i) {
      for (int p = 0; p < 16; ++p) {
        set.pixels.push_back(static_cast<uint8_t>(p == 0 ? c : p == 1 ? i : 200 + p));
      }
      set.image_maker.push_back(i);
    }
    set.class_begin.push_back((c + 1) * images_per_class);
  }
  SplitScheme& scheme = set.splits["half"];
  for (int c = 0; c < classes; ++c) {
    scheme.classes[c < classes / 2 ? 0 : c < classes * 3 / 4 ? 1 : 2].push_back(c);
  }
  SplitScheme& all = set.splits["all"];
  for (int c = 0; c < classes; ++c) all.classes[0].push_back(c);
  set.default_split = "half";
  return set;
}

}  // namespace outerloop::data
