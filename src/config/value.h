#pragma once
// One value of the config: from the text of a file or command line into its member, and back.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outerloop/config/schema.h"

namespace outerloop::config {

// A value as written, before its key's type is known.
struct RawValue {
  enum class Kind { scalar, list, none };
  Kind kind = Kind::scalar;
  std::string text;                // scalar; none: a scalar with its tag, else empty
  bool quoted = false;             // scalar
  std::vector<RawValue> elements;  // list; scalars all
};

// A command-line value: `[a, "b, c"]` is a list where `key` takes one, everything else a scalar.
RawValue parse_word(const Key& key, std::string_view text);

// Puts the value into its member. Returns what is wrong with it ("expected …, got …"), or nothing.
std::optional<std::string> assign(const Key& key, const RawValue& value, Config& config);

// The member as YAML text that reads back to the same value.
std::string format_value(const Key& key, const Config& config);

// Gives `to` the value that `from` has.
void copy_value(const Key& key, const Config& from, Config& to);

// "whole number from 1 to 10000", "one of relu, tanh, leaky_relu", …: what assign expects.
std::string expectation(const Key& key);

// The words of a comma-separated list.
std::vector<std::string_view> split_words(std::string_view words);

}  // namespace outerloop::config
