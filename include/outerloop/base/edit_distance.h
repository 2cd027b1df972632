#pragma once
// Finding the word that was probably meant.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace outerloop {

// Least number of inserted, deleted, replaced or swapped neighbouring characters that turn `a` into
// `b` (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, the first of equals; none if all differ by more than a third of
// the word's length (at least one character is always forgiven).
std::optional<std::string_view> nearest_word(std::string_view word,
                                             std::span<const std::string_view> candidates);

}  // namespace outerloop
