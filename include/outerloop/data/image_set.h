#pragma once
// A class-structured set of images in memory, and the data-set file that holds it.
//
// The file is HDF5 with format = "outerloop-dataset": images (count, height, width, channels)
// uint8, images of a class adjacent; class_begin; names of classes and groups; the group of each
// class; the maker (drawer, style, …) of each image; splits by scheme; how the images were
// prepared; a licence.

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/data/episode.h"

namespace outerloop::data {

// How any image becomes one of the set: grey or colour, resized by Lanczos, maybe inverted. The
// importer used it, and predict() must use the same on a person's own images.
struct ImagePreparation {
  int height = 28;
  int width = 28;
  int channels = 1;     // 1 (grey) or 3 (red, green, blue)
  bool invert = false;  // 255 - value: dark ink on light paper becomes high
  bool operator==(const ImagePreparation&) const = default;
};

// Class indices of the three splits; disjoint. A scheme may leave a split empty.
struct SplitScheme {
  std::array<std::vector<int32_t>, 3> classes;  // by Split
};

struct ImageSet {
  std::string name;
  std::string licence;
  std::string source;  // where the images come from, one line
  ImagePreparation preparation;
  std::vector<uint8_t> pixels;       // (image, height, width, channels)
  std::vector<int64_t> class_begin;  // classes + 1; images of class c are [begin[c], begin[c + 1])
  std::vector<std::string> class_names;
  std::vector<std::string> group_names;  // sorted; may be empty
  std::vector<int32_t> class_group;      // per class, empty without groups
  std::vector<int32_t> image_maker;      // per image, empty where unknown
  std::map<std::string, SplitScheme> splits;
  std::string default_split;

  int64_t classes() const { return static_cast<int64_t>(class_names.size()); }
  int64_t images() const { return class_begin.empty() ? 0 : class_begin.back(); }
  int64_t images_of(int64_t c) const {
    return class_begin[static_cast<size_t>(c) + 1] - class_begin[static_cast<size_t>(c)];
  }
  size_t image_bytes() const;
  std::span<const uint8_t> image(int64_t index) const;
};

// Throws BadInput naming the first thing that does not fit (sizes, ranges, overlapping splits).
void validate(const ImageSet& set);

// XXH3-128 over all of the content, 32 hexadecimal digits: equal sets have equal fingerprints.
std::string fingerprint(const ImageSet& set);

// Writes atomically; equal sets give equal bytes. Throws SystemFailure.
void save_image_set(const ImageSet& set, const std::filesystem::path& path);

// Throws BadInput when the file is missing, is not a data set or is too new, CorruptFile when it is
// damaged (the fingerprint of what was read is compared with the stored one).
ImageSet load_image_set(const std::filesystem::path& path);

// What `outerloop data show` prints: a few lines of text.
std::string summary(const ImageSet& set);

}  // namespace outerloop::data
