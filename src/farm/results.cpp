#include "outerloop/farm/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "outerloop/base/error.h"

namespace outerloop::farm {

Results::Results(std::vector<std::string> keys, std::vector<std::string> columns)
    : keys_(std::move(keys)),
      columns_(std::move(columns)),
      values_(keys_.size() * columns_.size()),
      has_(keys_.size()) {}

std::span<const double> Results::values(size_t cell) const {
  OL_ASSERT(has_.at(cell), fmt::format("the cell {} has no values", keys_.at(cell)));
  return std::span(values_).subspan(cell * columns_.size(), columns_.size());
}

bool Results::put(size_t cell, std::span<const double> values) {
  OL_ASSERT(cell < cells() && values.size() == columns_.size(),
            fmt::format("{} values for cell {} of {}, which has {} columns", values.size(), cell,
                        cells(), columns_.size()));
  double* const place = values_.data() + cell * columns_.size();
  if (has_[cell]) {
    if (std::memcmp(place, values.data(), values.size_bytes()) == 0) return false;
    throw SystemFailure(
        fmt::format("the cell {} gave other values than before; results must depend on nothing but "
                    "the job's manifest, or a machine computes wrongly",
                    keys_[cell]));
  }
  std::ranges::copy(values, place);
  has_[cell] = true;
  ++done_;
  return true;
}

}  // namespace outerloop::farm
