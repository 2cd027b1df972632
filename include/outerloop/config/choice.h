#pragma once
// Enumerations whose names are also the words of the config file: one list gives both.

#include <optional>
#include <string_view>

// Declares `enum class Type { … }` and choice_words(Type{}), the enumerators' names in order,
// separated by ", ". A trailing underscore keeps clear of C++ keywords and is not part of the word.
#define OL_CONFIG_CHOICE(Type, ...)                       \
  enum class Type { __VA_ARGS__ };                        \
  constexpr std::string_view choice_words(Type /*tag*/) { \
    return #__VA_ARGS__;                                  \
  }

namespace outerloop::config {

// The word at place `index` of a list made by choice_words; empty past its end.
constexpr std::string_view choice_word(std::string_view words, int index) {
  while (index-- > 0 && !words.empty()) {
    const auto comma = words.find(',');
    words = comma == words.npos ? std::string_view{} : words.substr(comma + 2);
  }
  words = words.substr(0, words.find(','));
  if (words.ends_with('_')) words.remove_suffix(1);
  return words;
}

// The word that stands for `value` in the config file, for example "cosine".
template <class Enum>
constexpr std::string_view word(Enum value) {
  return choice_word(choice_words(Enum{}), static_cast<int>(value));
}

// The place of `word` in such a list.
constexpr std::optional<int> choice_place(std::string_view words, std::string_view word) {
  for (int place = 0; !choice_word(words, place).empty(); ++place) {
    if (choice_word(words, place) == word) return place;
  }
  return std::nullopt;
}

// What `word` stands for; nothing where the Enum has no such word.
template <class Enum>
constexpr std::optional<Enum> choice_named(std::string_view word) {
  const std::optional<int> place = choice_place(choice_words(Enum{}), word);
  return place ? std::optional(static_cast<Enum>(*place)) : std::nullopt;
}

}  // namespace outerloop::config
