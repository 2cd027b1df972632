#pragma once
// The Omniglot importer with the sizes of the archives open, so that tests can use small ones.

#include "outerloop/data/import.h"

namespace outerloop::data {

struct OmniglotSizes {
  size_t background_classes = 964;
  size_t evaluation_classes = 659;
  std::array<size_t, 3> fixed = {1100, 100, 423};  // of the scheme "fixed"
  size_t held_out_alphabets = 5;
  int drawers = 20;
};

ImageSet import_omniglot(const std::filesystem::path& background_zip,
                         const std::filesystem::path& evaluation_zip, int size,
                         const OmniglotSizes& sizes);

}  // namespace outerloop::data
