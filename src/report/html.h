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

// A value in large type with its name below; plain text.
std::string tile(const std::string& value, const std::string& name);

// A heading, plain words below it, and cards side by side. Nothing without words and cards.
std::string section(const std::string& heading, const std::string& cards,
                    const std::string& lead = {});

// The whole page; `body` is HTML.
std::string document(std::string_view title, std::string_view lead, std::string_view body);

}  // namespace outerloop::report
