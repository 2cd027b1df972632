#pragma once
// A small table of texts with a header line.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outerloop::data {

struct CsvTable {
  std::vector<std::string> columns;            // without blanks around them
  std::vector<std::vector<std::string>> rows;  // each as long as columns
  std::vector<size_t> lines;                   // of the file, where each row begins; from 1

  std::optional<size_t> column(std::string_view name) const;
};

// Comma-separated UTF-8, fields maybe in double quotes ("" for a quote in them); a byte order mark
// in front is passed over. `name` is for messages.
// Throws BadInput on an empty table, an open quote, a row of another length than the header, or a
// header of semicolons or tabs.
CsvTable parse_csv(std::string_view text, const std::string& name);

// For messages on a column that is not there: what to do where the names look like a row of
// numbers, else nothing.
std::string header_hint(std::span<const std::string> columns);

// Whether a cell, without blanks around it, says that there is none: "", NA, NaN or nan.
bool is_missing(std::string_view cell);

// Without blanks around it.
std::string_view trimmed(std::string_view text);

// A finite number, maybe with a sign and blanks around it; T is float or double.
template <class T>
std::optional<T> parse_number(std::string_view text);

}  // namespace outerloop::data
