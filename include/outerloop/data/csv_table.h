#pragma once
// A small table of texts with a header line.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outerloop::data {

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as columns

  std::optional<size_t> column(std::string_view name) const;
};

// Comma-separated UTF-8, fields maybe in double quotes ("" for a quote in them); a byte order mark
// in front is passed over. `name` is for messages.
// Throws BadInput on an empty table, an open quote or a row of another length than the header.
CsvTable parse_csv(std::string_view text, const std::string& name);

// Without blanks around it.
std::string_view trimmed(std::string_view text);

// A finite number, maybe with a sign and blanks around it; T is float or double.
template <class T>
std::optional<T> parse_number(std::string_view text);

}  // namespace outerloop::data
