#pragma once
// Configs from texts.

#include <string>
#include <string_view>
#include <vector>

#include "outerloop/config/read.h"

namespace outerloop::config {

// The config of a file `a.yaml` that holds `text`, then of a command line's `words`.
inline Resolved read(std::string_view text, const std::vector<std::string>& words = {}) {
  return read_config_text(text, "a.yaml", words);
}

}  // namespace outerloop::config
