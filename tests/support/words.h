#pragma once
// Words of a command line.

#include <string>
#include <vector>

namespace outerloop {

using Words = std::vector<std::string>;

inline Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Of two key=value words of one key the later counts.
inline Words settled(const Words& words) {
  Words result;
  for (const std::string& word : words) {
    const std::string key = word.substr(0, word.find('=') + 1);
    if (!key.empty()) std::erase_if(result, [&key](auto& other) { return other.starts_with(key); });
    result.push_back(word);
  }
  return result;
}

}  // namespace outerloop
