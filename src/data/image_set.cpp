#include "outerloop/data/image_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "data/content.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

[[noreturn]] void fail(const ImageSet& set, const std::string& what) {
  throw BadInput(fmt::format("data set '{}': {}", set.name, what));
}

void check_counts(const ImageSet& set) {
  const auto expect = [&](const char* what, size_t got, size_t expected) {
    if (got != expected)
      fail(set, fmt::format("{} has {} entries, expected {}", what, got, expected));
  };
  const size_t classes = set.class_names.size();
  const auto images = static_cast<size_t>(set.images());
  if (classes == 0) fail(set, "it has no classes");
  expect("class_begin", set.class_begin.size(), classes + 1);
  if (set.class_begin.front() != 0) fail(set, "class_begin does not start at 0");
  for (size_t c = 0; c < classes; ++c) {
    if (set.class_begin[c] >= set.class_begin[c + 1]) {
      fail(set, fmt::format("class '{}' has no images", set.class_names[c]));
    }
  }
  if (set.pixels.size() / set.image_bytes() < images) fail(set, "images are missing");
  expect("pixels", set.pixels.size(), images * set.image_bytes());
  if (!set.class_group.empty()) expect("class_group", set.class_group.size(), classes);
  if (!set.image_maker.empty()) expect("image_maker", set.image_maker.size(), images);
}

void check_preparation(const ImageSet& set) {
  const ImagePreparation& p = set.preparation;
  const bool sizes_good = p.height >= 1 && p.height <= 4096 && p.width >= 1 && p.width <= 4096;
  if (!sizes_good || (p.channels != 1 && p.channels != 3)) {
    fail(set, fmt::format("images of {} x {} x {} values: expected sizes of 1 to 4096 and 1 or 3 "
                          "channels",
                          p.height, p.width, p.channels));
  }
}

void check_groups(const ImageSet& set) {
  for (const int32_t group : set.class_group) {
    if (group < 0 || static_cast<size_t>(group) >= set.group_names.size()) {
      fail(set, fmt::format("a class is in group {}, there are {}", group, set.group_names.size()));
    }
  }
}

void check_scheme(const ImageSet& set, const std::string& name, const SplitScheme& scheme) {
  std::vector<bool> taken(set.class_names.size());
  for (const Split split : kSplits) {
    for (const int32_t c : scheme.classes[static_cast<size_t>(split)]) {
      if (c < 0 || static_cast<size_t>(c) >= taken.size()) {
        fail(set, fmt::format("split {}/{} names class {}, there are {}", name, name_of(split), c,
                              taken.size()));
      }
      if (taken[static_cast<size_t>(c)]) {
        fail(set, fmt::format("split scheme {} holds class '{}' twice", name,
                              set.class_names[static_cast<size_t>(c)]));
      }
      taken[static_cast<size_t>(c)] = true;
    }
  }
}

}  // namespace

size_t ImageSet::image_bytes() const {
  return static_cast<size_t>(preparation.height) * static_cast<size_t>(preparation.width) *
         static_cast<size_t>(preparation.channels);
}

std::span<const uint8_t> ImageSet::image(int64_t index) const {
  return std::span(pixels).subspan(static_cast<size_t>(index) * image_bytes(), image_bytes());
}

void validate(const ImageSet& set) {
  check_preparation(set);
  check_counts(set);
  check_groups(set);
  for (const auto& [name, scheme] : set.splits) check_scheme(set, name, scheme);
  if (!set.splits.contains(set.default_split)) {
    fail(set, fmt::format("its default split scheme '{}' is not in it", set.default_split));
  }
}

std::string fingerprint(const ImageSet& set) {
  Content content;
  content.text(set.name);
  content.text(set.licence);
  content.text(set.source);
  const ImagePreparation& p = set.preparation;
  for (const int value : {p.height, p.width, p.channels, int{p.invert}}) content.number(value);
  content.array(set.pixels);
  content.numbers(set.class_begin);
  content.texts(set.class_names);
  content.texts(set.group_names);
  content.numbers(set.class_group);
  content.numbers(set.image_maker);
  content.number(static_cast<int64_t>(set.splits.size()));
  for (const auto& [name, scheme] : set.splits) {
    content.text(name);
    for (const std::vector<int32_t>& classes : scheme.classes) content.numbers(classes);
  }
  content.text(set.default_split);
  return content.hash();
}

std::string summary(const ImageSet& set) {
  int64_t fewest = set.images();
  int64_t most = 0;
  for (int64_t c = 0; c < set.classes(); ++c) {
    fewest = std::min(fewest, set.images_of(c));
    most = std::max(most, set.images_of(c));
  }
  const ImagePreparation& p = set.preparation;
  std::string text = fmt::format("name         {}\n", set.name);
  if (!set.source.empty()) text += fmt::format("source       {}\n", set.source);
  text += fmt::format("images       {} of {} x {} x {}{}\n", set.images(), p.height, p.width,
                      p.channels, p.invert ? ", inverted (dark is high)" : "");
  text +=
      fmt::format("classes      {}, with {} images each\n", set.classes(),
                  fewest == most ? fmt::format("{}", most) : fmt::format("{} to {}", fewest, most));
  if (!set.class_group.empty()) text += fmt::format("groups       {}\n", set.group_names.size());
  for (const auto& [name, scheme] : set.splits) {
    text += fmt::format("split        {}: train {}, validation {}, test {} classes{}\n", name,
                        scheme.classes[0].size(), scheme.classes[1].size(),
                        scheme.classes[2].size(), name == set.default_split ? " (default)" : "");
  }
  text += fmt::format("fingerprint  {}\n", fingerprint(set));
  if (!set.licence.empty()) {
    text += fmt::format("licence      {}\n", set.licence.substr(0, set.licence.find('\n')));
  }
  return text;
}

}  // namespace outerloop::data
