#pragma once
// Importers: foreign formats to an ImageSet, which save_image_set() writes. Same input, same set.

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "outerloop/data/image_set.h"

namespace outerloop::data {

// The official archives images_background.zip and images_evaluation.zip (Lake et al. 2015). Class
// "Alphabet/characterNN", group = alphabet, maker = drawer 0…19, ink = high. Split schemes:
//   fixed     1100 / 100 / 423 classes, shuffled once (seed 1623) over classes in order of names
//   official  background 964 / none / evaluation 659
//   holdout   background without five alphabets / those five / evaluation
ImageSet import_omniglot(const std::filesystem::path& background_zip,
                         const std::filesystem::path& evaluation_zip, int size = 28);

struct ImageImportOptions {
  std::string name;     // empty: the folder's name
  std::string licence;  // free text
  ImagePreparation preparation;
  // Shares of the classes, shuffled by split_seed: 0.7, 0.1, 0.2 and 0 where not said. BadInput
  // where the source says the splits itself.
  std::optional<std::array<double, 3>> fractions;
  std::optional<uint64_t> split_seed;
};

// A folder or zip; class = folder, nested names joined by '/', group = the class's parent folder.
// Where all top-level folders are named after splits (see split_named()), those are the splits; one
// folder around them is no part of the names, nor is one around all class folders of a zip. Throws
// BadInput when there are no images, when images lie outside class folders, when others lie beside
// those of train and test, or when a class is in two splits.
ImageSet import_images(const std::filesystem::path& folder_or_zip,
                       const ImageImportOptions& options);

// IDX files (.gz or not): images (count, height, width) bytes and labels (count). Optional class
// table, CSV (.gz or not) with a header: class,…; columns name, split (see split_named()) and
// script or group are used where present. Without a split column fractions deal the classes out.
ImageSet import_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                    const std::filesystem::path& class_table, const ImageImportOptions& options);

}  // namespace outerloop::data
