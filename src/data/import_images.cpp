#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "data/file_tree.h"
#include "data/image_set_builder.h"
#include "data/splits.h"
#include "outerloop/base/error.h"
#include "outerloop/data/image_file.h"
#include "outerloop/data/import.h"

namespace outerloop::data {
namespace {

constexpr ptrdiff_t kMostNamed = 5;

std::string first_part(const std::string& name) {
  return name.substr(0, name.find('/'));
}

std::string without_first_part(const std::string& name) {
  const size_t slash = name.find('/');
  return slash == std::string::npos ? "" : name.substr(slash + 1);
}

// Of the class folder that an image with this label lies in; nothing: it is in no folder named
// after a split.
std::optional<Split> split_around(const std::string& label) {
  if (without_first_part(label).empty()) return std::nullopt;
  return split_named(first_part(label));
}

// What lies beside the splits: a folder, or an image that is in no class folder.
std::string misplaced(const NamedImage& image, const std::string& label) {
  const std::string folder = first_part(label);
  return folder.empty() || split_named(folder) ? image.name : folder;
}

struct SplitFolders {
  std::set<Split> splits;
  std::set<std::string> others;  // beside them

  // Whether the folders are splits, not classes that are called so.
  bool are_meant() const {
    return others.empty() || (splits.contains(Split::train) && splits.contains(Split::test));
  }
};

// `label_of`: the label of an image, from the folder on that may be a split.
template <class LabelOf>
SplitFolders split_folders(const std::vector<NamedImage>& images, LabelOf label_of) {
  SplitFolders found;
  for (const NamedImage& image : images) {
    const std::string label = label_of(image);
    if (const std::optional<Split> split = split_around(label)) {
      found.splits.insert(*split);
    } else {
      found.others.insert(misplaced(image, label));
    }
  }
  return found;
}

// One folder around everything is no part of the names, unless the images lie right in it: then it
// is the class. Archives often have one. In a folder it may group classes: there it must hold
// splits.
void drop_outer_folder(std::vector<NamedImage>& images, bool in_archive) {
  std::vector<std::string> labels;
  for (const NamedImage& image : images) labels.push_back(image.label);
  const std::string outer = outer_folder(labels);
  if (outer.empty() || split_named(outer)) return;
  const auto inner_label = [](const NamedImage& image) { return without_first_part(image.label); };
  if (!in_archive && !split_folders(images, inner_label).are_meant()) return;
  for (NamedImage& image : images) image.label = inner_label(image);
}

// Whether the images lie in folders named after splits. Throws BadInput when some beside train and
// test do not.
bool have_splits(const std::vector<NamedImage>& images, const std::string& where) {
  const SplitFolders found =
      split_folders(images, [](const NamedImage& image) { return image.label; });
  const std::set<std::string>& others = found.others;
  if (others.empty() || !found.are_meant()) return others.empty();
  const std::vector<std::string> named(
      others.begin(), std::next(others.begin(), std::min(std::ssize(others), kMostNamed)));
  throw BadInput(
      fmt::format("{}: train and test are splits, so all classes lie in train, validation or test; "
                  "beside them: {}{}; move these into one or away",
                  where, fmt::join(named, ", "), others.size() > named.size() ? ", …" : ""));
}

// Takes the split from the labels when every image lies in a folder named after one.
std::map<std::string, Split> take_splits(std::vector<NamedImage>& images,
                                         const std::string& where) {
  std::map<std::string, Split> split_by_class;
  if (!have_splits(images, where)) return split_by_class;
  for (NamedImage& image : images) {
    const Split split = *split_named(first_part(image.label));
    image.label = without_first_part(image.label);
    const auto [place, added] = split_by_class.emplace(image.label, split);
    if (!added && place->second != split) {
      throw BadInput(
          fmt::format("{}: class '{}' is in {} and in {}: the splits of few-shot data are "
                      "of different classes; put each class into one",
                      where, image.label, name_of(place->second), name_of(split)));
    }
  }
  return split_by_class;
}

// The last part of a path, with or without a slash at its end.
std::filesystem::path name_of_path(const std::filesystem::path& path) {
  const std::filesystem::path clean = std::filesystem::absolute(path).lexically_normal();
  return clean.has_filename() ? clean.filename() : clean.parent_path().filename();
}

std::string parent_of(const std::string& label) {
  const size_t slash = label.rfind('/');
  return slash == std::string::npos ? "" : label.substr(0, slash);
}

}  // namespace

ImageSet import_images(const std::filesystem::path& folder_or_zip,
                       const ImageImportOptions& options) {
  const std::string where = folder_or_zip.string();
  std::vector<NamedImage> images = read_images(folder_or_zip, options.preparation);
  drop_outer_folder(images, !std::filesystem::is_directory(folder_or_zip));
  const std::map<std::string, Split> split_by_class = take_splits(images, where);
  if (!split_by_class.empty()) refuse_dealing(options, where);

  ImageSetBuilder builder(options.preparation);
  for (const NamedImage& image : images) {
    if (image.label.empty()) {
      throw BadInput(fmt::format("{}: image {} lies in no class folder", where, image.name));
    }
    builder.add(image.label, parent_of(image.label), image.image.pixels);
  }
  ImageSet set = builder.build();
  const std::filesystem::path own_name = name_of_path(folder_or_zip);
  set.name = options.name.empty() ? own_name.stem().string() : options.name;
  set.licence = options.licence;
  set.source = own_name.string();
  if (split_by_class.empty()) {
    set.default_split = "fractions";
    set.splits["fractions"] = dealt_split(set.class_names.size(), options);
  } else {
    set.default_split = "folders";
    SplitScheme& scheme = set.splits["folders"];
    for (size_t c = 0; c < set.class_names.size(); ++c) {
      const Split split = split_by_class.at(set.class_names[c]);
      scheme.classes[static_cast<size_t>(split)].push_back(static_cast<int32_t>(c));
    }
  }
  return set;
}

}  // namespace outerloop::data
