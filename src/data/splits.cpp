#include "data/splits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"

namespace outerloop::data {
namespace {

constexpr std::array<double, 3> kFractions{0.7, 0.1, 0.2};

}  // namespace

SplitScheme shuffled_split(const std::array<size_t, 3>& sizes, uint64_t seed) {
  std::vector<int32_t> classes(sizes[0] + sizes[1] + sizes[2]);
  std::iota(classes.begin(), classes.end(), 0);
  Philox({.seed = seed, .purpose = Purpose::data_split}).shuffle(std::span(classes));
  SplitScheme scheme;
  auto next = classes.begin();
  for (size_t split = 0; split < 3; ++split) {
    const auto end = next + static_cast<ptrdiff_t>(sizes.at(split));
    scheme.classes.at(split).assign(next, end);
    std::ranges::sort(scheme.classes.at(split));
    next = end;
  }
  return scheme;
}

std::array<size_t, 3> split_sizes(size_t classes, const std::array<double, 3>& fractions) {
  const double sum = fractions[0] + fractions[1] + fractions[2];
  const bool negative = std::ranges::any_of(fractions, [](double f) { return !(f >= 0); });
  if (negative || std::abs(sum - 1) > 1e-6) {
    throw BadInput(fmt::format("split fractions must be shares that add up to 1, got {}, {}, {}",
                               fractions[0], fractions[1], fractions[2]));
  }
  std::array<size_t, 3> sizes{};
  size_t left = classes;
  // Where classes are few, training has the first one and the test the second.
  const auto kept_for_training = static_cast<size_t>(fractions[0] > 0 ? 1 : 0);
  for (const size_t split : {size_t{2}, size_t{1}}) {
    const double share = fractions.at(split) * static_cast<double>(classes);
    const auto least = static_cast<size_t>(share > 0 ? 1 : 0);
    const size_t most = left - std::min(left, kept_for_training);
    sizes.at(split) = std::min(std::max(static_cast<size_t>(std::lround(share)), least), most);
    left -= sizes.at(split);
  }
  sizes[0] = left;
  if (fractions[0] == 0) sizes[2] += std::exchange(sizes[0], 0);
  return sizes;
}

SplitScheme dealt_split(size_t classes, const ImageImportOptions& options) {
  return shuffled_split(split_sizes(classes, options.fractions.value_or(kFractions)),
                        options.split_seed.value_or(0));
}

void refuse_dealing(const ImageImportOptions& options, const std::string& where) {
  if (!options.fractions && !options.split_seed) return;
  throw BadInput(fmt::format(
      "--fractions and --split-seed have no effect here: {} says the splits; leave them out",
      where));
}

}  // namespace outerloop::data
