#pragma once

#include "outerloop/farm/job.h"

namespace outerloop::farm {

std::string identity_of(const Manifest& manifest, const std::vector<std::string>& columns,
                        const std::vector<std::string>& keys);

std::vector<std::string> keys_of(const Job& job);

}  // namespace outerloop::farm
