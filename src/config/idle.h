#pragma once
// Keys without effect beside the others.

#include <vector>

#include "outerloop/config/read.h"

namespace outerloop::config {

// One for each key that is not at its default and that nothing reads, with the key that decides
// on that as its cause. A stored config holds every key, so a default is no wish.
std::vector<Complaint> idle_keys(const Config& config);

}  // namespace outerloop::config
