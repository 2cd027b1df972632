#pragma once
// Class splits that importers make once and store.

#include <array>
#include <string>

#include "outerloop/data/image_set.h"
#include "outerloop/data/import.h"

namespace outerloop::data {

// Shuffles the classes 0 … classes - 1 by (seed, Purpose::data_split) and cuts them into train,
// validation and test of the given sizes, each sorted. The sizes must add up to classes.
SplitScheme shuffled_split(const std::array<size_t, 3>& sizes, uint64_t seed);

// Whole classes for each split, at least one where its share is above 0 and classes last. Throws
// BadInput unless the shares are not negative and add up to 1.
std::array<size_t, 3> split_sizes(size_t classes, const std::array<double, 3>& fractions);

// By the options' fractions and seed, or what stands for them.
SplitScheme dealt_split(size_t classes, const ImageImportOptions& options);

// Throws BadInput when the options deal out classes whose splits `where` says.
void refuse_dealing(const ImageImportOptions& options, const std::string& where);

}  // namespace outerloop::data
