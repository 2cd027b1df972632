#pragma once
// Few-shot classification of images: N ways, K shots, Q queries per class, without replacement
// inside a task. support_x (ways * shots, height, width, channels) in [0, 1], labels int32.

#include <memory>
#include <string>

#include "outerloop/config/config.h"
#include "outerloop/data/family.h"
#include "outerloop/data/image_set.h"

namespace outerloop::data {

// per_class: each class of a task turned by a multiple of 90 degrees, drawn once per task (Finn);
// as_classes: every class gives four, itself turned by 0, 90, 180, 270 degrees (Snell, Vinyals).
using config::Rotation;

struct ImageFamilyOptions {
  std::string split_scheme;  // empty: the data set's own default
  std::array<Rotation, 3> rotation = {Rotation::none, Rotation::none, Rotation::none};  // by Split
  bool within_group = false;  // all classes of a task come from one group, uniform over groups
};

// Throws BadInput on an unknown scheme, rotation of images that are not square, or groups missing.
// The set may be shared by several families.
std::unique_ptr<TaskFamily> make_image_family(std::shared_ptr<const ImageSet> set,
                                              const EpisodeShape& shape,
                                              const ImageFamilyOptions& options = {});

}  // namespace outerloop::data
