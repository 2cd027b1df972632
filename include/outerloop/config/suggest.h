#pragma once
// What to say about a key that does not exist.

#include <string>
#include <string_view>
#include <vector>

namespace outerloop::config {

// "unknown key 'inner.stpes'; did you mean 'inner.steps'?" or, with nothing near, the keys that
// could stand there.
std::string unknown_key(std::string_view path);

// The keys and sections that it names.
std::vector<std::string_view> likely_meant(std::string_view path);

// Paths of the keys that begin with `section` and a dot.
std::vector<std::string_view> keys_of_section(std::string_view section);

}  // namespace outerloop::config
