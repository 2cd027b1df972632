#pragma once
// What to say about a key that does not exist, and about text that is no YAML.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outerloop::config {

// "unknown key 'inner.stpes'; did you mean 'inner.steps'?" or, with nothing near, the keys that
// could stand there.
std::string unknown_key(std::string_view path);

// "unknown word 'gird'; did you mean 'grid'?" or, with nothing near, what there is. `kind`: "word".
std::string unknown_among(std::string_view kind, std::string_view name,
                          std::span<const std::string_view> there);

// The keys and sections that unknown_key() names.
std::vector<std::string_view> likely_meant(std::string_view path);

// About text that the YAML library refused for `reason` at `line`, from 0, or -1 where that is not
// known. Few of its reasons speak of tabs.
std::string not_yaml(std::string_view text, int line, std::string_view reason);

// Paths of the keys that begin with `section` and a dot.
std::vector<std::string_view> keys_of_section(std::string_view section);

}  // namespace outerloop::config
