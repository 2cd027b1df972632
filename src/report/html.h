#pragma once
// Pieces of HTML text.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outerloop::report {

// &, <, > and quotes as entities.
std::string escape(std::string_view text);

std::string base64(std::span<const std::byte> bytes);

// A row of a table: a name and a value.
using Fact = std::pair<std::string, std::string>;
std::string table_of(const std::vector<Fact>& facts);

// A box with a heading; `body` and `note` are HTML, the note may be empty.
std::string card(std::string_view heading, std::string_view body, std::string_view note = {});

}  // namespace outerloop::report
