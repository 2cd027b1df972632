#pragma once
// The value of one `key=value` word by itself.

#include <string>
#include <string_view>

#include "outerloop/config/config.h"

namespace outerloop::config {

// The key of the word; all of it where it has no '='.
inline std::string_view key_of(std::string_view word) {
  return word.substr(0, word.find('='));
}

// The same text for all ways to write one value: "0.1" for 0.10 and 1e-1. The key exists and takes
// the value (see refusal_of_word), else InternalError.
std::string canonical_value(std::string_view key, std::string_view value);

// That text for the value that the config has.
std::string value_text(const Config& config, std::string_view key);

// Whether another value of this key can change results; the key exists.
bool changes_results(std::string_view key);

// Whether the key takes a whole number, or a number of any kind; the key exists.
bool takes_whole_number(std::string_view key);
bool takes_number(std::string_view key);

}  // namespace outerloop::config
