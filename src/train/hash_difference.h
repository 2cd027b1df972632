#pragma once

#include <optional>

#include "outerloop/train/divergence.h"
#include "train/hash_file.h"

namespace outerloop::train {

// Nothing where the rows, of one iteration, are equal.
std::optional<Divergence> difference(const HashRow& a, const HashRow& b, const HashNames& names);

}  // namespace outerloop::train
