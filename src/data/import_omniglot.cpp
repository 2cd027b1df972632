#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "data/file_tree.h"
#include "data/image_set_builder.h"
#include "data/omniglot.h"
#include "data/splits.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
#include "outerloop/data/image_file.h"

namespace outerloop::data {
namespace {

constexpr uint64_t kSplitSeed = 1623;

constexpr const char* kSource =
    "Omniglot, Lake, Salakhutdinov and Tenenbaum 2015, github.com/brendenlake/omniglot";

constexpr const char* kLicence = R"(The MIT License (MIT)

Copyright (c) 2015 Brenden Lake

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.

)";

// images_background/Alphabet/character01/0001_07.png
struct Entry {
  std::string alphabet;
  std::string class_name;  // Alphabet/character01
  int drawer = -1;         // 0 for _01; -1: not such a name
};

Entry parse(const std::string& name) {
  const size_t root = name.find('/');
  const size_t last = name.rfind('/');
  const size_t underscore = name.rfind('_');
  Entry entry;
  if (root >= last || underscore == std::string::npos || underscore < last) return entry;
  entry.class_name = name.substr(root + 1, last - root - 1);
  entry.alphabet = entry.class_name.substr(0, entry.class_name.find('/'));
  int number = 0;
  const char* digits = name.data() + underscore + 1;
  const auto parsed = std::from_chars(digits, name.data() + name.size(), number);
  if (parsed.ec == std::errc() && std::string_view(parsed.ptr) == ".png") entry.drawer = number - 1;
  return entry;
}

// Returns the names of the archive's classes.
std::set<std::string> add_archive(const std::filesystem::path& path, size_t classes, int drawers,
                                  const ImagePreparation& preparation, ImageSetBuilder& builder) {
  const std::unique_ptr<FileTree> archive = open_file_tree(path);
  std::map<std::string, int> drawn;
  for (const std::string& name : archive->names()) {
    const std::string where = path.string() + ":" + name;
    const Entry entry = parse(name);
    // In order of names, drawers come as 0, 1, … in each class.
    if (entry.drawer < 0 || entry.drawer != drawn[entry.class_name]++) {
      throw BadInput(fmt::format(
          "{}: expected …/Alphabet/character01/0001_07.png, one image of each drawer", where));
    }
    const Image image = prepare(decode_image(archive->read(name), where), preparation);
    builder.add(entry.class_name, entry.alphabet, image.pixels, entry.drawer);
  }
  std::set<std::string> names;
  for (const auto& [name, count] : drawn) {
    if (count != drawers) {
      throw BadInput(
          fmt::format("{}: {} has {} images, expected {}", path.string(), name, count, drawers));
    }
    names.insert(name);
  }
  if (names.size() != classes) {
    throw BadInput(fmt::format("{}: {} classes, expected {}: is it the official archive?",
                               path.string(), names.size(), classes));
  }
  return names;
}

void add_official_splits(ImageSet& set, const std::set<std::string>& background,
                         size_t held_out_alphabets) {
  std::set<int32_t> alphabets;
  for (size_t c = 0; c < set.class_names.size(); ++c) {
    if (background.contains(set.class_names[c])) alphabets.insert(set.class_group[c]);
  }
  std::vector<int32_t> order(alphabets.begin(), alphabets.end());
  Philox({.seed = kSplitSeed, .purpose = Purpose::data_split, .iteration = 1})
      .shuffle(std::span(order));
  const std::set<int32_t> held_out(order.begin(),
                                   order.begin() + static_cast<ptrdiff_t>(held_out_alphabets));

  SplitScheme& official = set.splits["official"];
  SplitScheme& holdout = set.splits["holdout"];
  for (size_t c = 0; c < set.class_names.size(); ++c) {
    const bool in_background = background.contains(set.class_names[c]);
    const Split split = !in_background                          ? Split::test
                        : held_out.contains(set.class_group[c]) ? Split::validation
                                                                : Split::train;
    const auto index = static_cast<int32_t>(c);
    official.classes[static_cast<size_t>(in_background ? Split::train : Split::test)].push_back(
        index);
    holdout.classes[static_cast<size_t>(split)].push_back(index);
  }
}

}  // namespace

ImageSet import_omniglot(const std::filesystem::path& background_zip,
                         const std::filesystem::path& evaluation_zip, int size,
                         const OmniglotSizes& sizes) {
  const ImagePreparation preparation{.height = size, .width = size, .invert = true};
  ImageSetBuilder builder(preparation);
  const auto background =
      add_archive(background_zip, sizes.background_classes, sizes.drawers, preparation, builder);
  add_archive(evaluation_zip, sizes.evaluation_classes, sizes.drawers, preparation, builder);
  if (builder.classes() != sizes.background_classes + sizes.evaluation_classes) {
    throw BadInput(
        fmt::format("{} and {} share classes", background_zip.string(), evaluation_zip.string()));
  }
  ImageSet set = builder.build();
  set.name = "omniglot";
  set.licence = kLicence;
  set.source = kSource;
  set.splits["fixed"] = shuffled_split(sizes.fixed, kSplitSeed);
  add_official_splits(set, background, sizes.held_out_alphabets);
  set.default_split = "fixed";
  return set;
}

ImageSet import_omniglot(const std::filesystem::path& background_zip,
                         const std::filesystem::path& evaluation_zip, int size) {
  return import_omniglot(background_zip, evaluation_zip, size, OmniglotSizes{});
}

}  // namespace outerloop::data
