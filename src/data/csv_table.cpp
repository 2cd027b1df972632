#include "outerloop/data/csv_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

// One character after the other; a row ends at a line end outside quotes.
class CsvParser {
 public:
  void feed(char c) {
    line_ += c == '\n';
    if (after_quote_ && c != '"') quoted_ = after_quote_ = false;
    if (quoted_) {
      if (c != '"') {
        field_ += c;
      } else if (std::exchange(after_quote_, !after_quote_)) {
        field_ += '"';
      }
    } else if (c == '"' && field_.empty()) {
      quoted_ = true;
    } else if (c == ',') {
      end_field();
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      field_ += c;
    }
  }

  // Returns false when a quote is still open.
  bool finish() {
    if (quoted_ && !after_quote_) return false;
    end_row();
    return true;
  }

  std::vector<std::vector<std::string>> rows;
  std::vector<size_t> lines;  // where each row begins

 private:
  void end_field() { row_.push_back(std::exchange(field_, {})); }
  void end_row() {
    const bool blank = row_.empty() && field_.empty();
    end_field();
    if (!blank) {
      rows.push_back(std::move(row_));
      lines.push_back(row_line_);
    }
    row_.clear();
    row_line_ = line_;
  }

  std::string field_;
  std::vector<std::string> row_;
  size_t line_ = 1;
  size_t row_line_ = 1;
  bool quoted_ = false;
  bool after_quote_ = false;  // a quote inside quotes: the end, or the first of two
};

// std::from_chars takes no '+'.
std::string_view without_plus(std::string_view number) {
  const bool drops = number.starts_with('+') && !number.starts_with("+-");
  return number.substr(drops ? 1 : 0);
}

}  // namespace

bool is_missing(std::string_view cell) {
  return cell.empty() || cell == "NA" || cell == "NaN" || cell == "nan";
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value = 0;
  const std::string_view number = without_plus(trimmed(text));
  const char* const end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}
template std::optional<float> parse_number(std::string_view text);
template std::optional<double> parse_number(std::string_view text);

std::optional<size_t> CsvTable::column(std::string_view name) const {
  const auto found = std::ranges::find(columns, name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<size_t>(found - columns.begin());
}

std::string header_hint(std::span<const std::string> columns) {
  const auto is_number = [](const std::string& name) {
    return parse_number<double>(name).has_value();
  };
  if (std::ranges::none_of(columns, is_number)) return "";
  return "; that looks like data: write a line with the names of the columns above it";
}

CsvTable parse_csv(std::string_view text, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // as spreadsheets write it
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw BadInput(fmt::format("{}: is UTF-16, expected UTF-8: save the file as UTF-8", name));
  }
  CsvParser parser;
  for (const char c : text) parser.feed(c);
  if (!parser.finish()) throw BadInput(fmt::format("{}: a quoted field is not closed", name));
  if (parser.rows.empty()) throw BadInput(fmt::format("{}: the table is empty", name));
  CsvTable table;
  for (const std::string& column : parser.rows.front()) table.columns.emplace_back(trimmed(column));
  const bool one_column = table.columns.size() == 1;
  if (one_column && table.columns.front().find_first_of(";\t") != std::string::npos) {
    throw BadInput(fmt::format(
        "{}: the fields of the first line are not separated by commas ('{}'); write commas between "
        "fields and points in numbers",
        name, table.columns.front()));
  }
  table.rows = std::move(parser.rows);
  table.rows.erase(table.rows.begin());
  table.lines.assign(parser.lines.begin() + 1, parser.lines.end());
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (table.rows[i].size() != table.columns.size()) {
      throw BadInput(fmt::format("{}: row {} has {} fields, the header has {}", name,
                                 table.lines[i], table.rows[i].size(), table.columns.size()));
    }
  }
  return table;
}

}  // namespace outerloop::data
