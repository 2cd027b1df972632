#pragma once
// A field of a CSV line.

#include <string>
#include <string_view>

namespace outerloop {

// As RFC 4180 has it: in quotes where it holds a comma, a quote or the end of a line, and quotes in
// it twice.
std::string csv_field(std::string_view text);

}  // namespace outerloop
