#include "outerloop/data/raw_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "data/gzip_file.h"
#include "outerloop/base/error.h"
#include "outerloop/base/utf8.h"
#include "outerloop/data/csv_table.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"

namespace outerloop::data {
namespace {

constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";
constexpr size_t kMostColumnsShown = 20;

// That begins with HDF5's own bytes, not with a seal.
bool is_plain_hdf5(const std::filesystem::path& file) {
  std::string head(kHdf5Signature.size(), '\0');
  if (std::FILE* opened = std::fopen(file.c_str(), "rb")) {
    head.resize(std::fread(head.data(), 1, head.size(), opened));
    std::fclose(opened);
  }
  return head == kHdf5Signature;
}

std::vector<double> numbers(const Tensor& tensor) {
  std::vector<double> values;
  const auto append = [&values](const auto& stored) {
    values.assign(stored.begin(), stored.end());
  };
  if (tensor.dtype() == DType::f32) append(tensor.as<float>());
  if (tensor.dtype() == DType::f64) append(tensor.as<double>());
  return values;
}

// Without blanks around it, and without a copy where there are none.
std::string without_blanks(std::string&& cell) {
  const std::string_view inner = trimmed(cell);
  return inner.size() == cell.size() ? std::move(cell) : std::string(inner);
}

}  // namespace

RawTable RawTable::read(const std::filesystem::path& file) {
  if (io::is_sealed(file)) {
    throw BadInput(
        fmt::format("{}: images, not a table: tasks.family=images reads it", file.string()));
  }
  RawTable table = is_plain_hdf5(file) ? read_hdf5(file) : read_csv(file);
  table.check();
  return table;
}

bool RawTable::is_table(const std::filesystem::path& file) {
  return file.filename().string().find(".csv") != std::string::npos || is_plain_hdf5(file);
}

RawTable RawTable::read_csv(const std::filesystem::path& file) {
  CsvTable csv = parse_csv(read_maybe_gzip(file), file.string());
  RawTable table;
  table.file_ = file.string();
  table.rows_ = csv.rows.size();
  table.lines_ = std::move(csv.lines);
  std::vector<std::vector<std::string>> columns(csv.columns.size());
  for (auto& cells : columns) cells.reserve(csv.rows.size());
  for (auto& row : csv.rows) {
    for (size_t c = 0; c < columns.size(); ++c)
      columns[c].push_back(without_blanks(std::move(row[c])));
    row = {};  // a large table lies in memory once
  }
  for (size_t c = 0; c < columns.size(); ++c) {
    table.columns_.push_back({csv.columns[c], std::move(columns[c])});
  }
  return table;
}

RawTable RawTable::read_hdf5(const std::filesystem::path& file) {
  const io::Hdf5File stored = io::Hdf5File::open_read(file);
  RawTable table;
  table.file_ = file.string();
  for (const std::string& name : stored.list()) {
    if (stored.is_group(name)) continue;
    const io::DatasetInfo info = stored.info(name);
    if (info.shape.rank() != 1 || info.type == io::ElementType::other) {
      throw BadInput(
          fmt::format("{}: {} is no column: expected one axis of numbers or fixed-length texts, "
                      "and truth values "
                      "as 8-bit integers; store it so, or in a group, which is passed over",
                      table.file_, name));
    }
    Column column{.name = name, .cells = {}};
    if (info.type == io::ElementType::text) {
      std::vector<std::string> texts = stored.read_texts(name);
      for (std::string& text : texts) text = without_blanks(std::move(text));
      column.cells = std::move(texts);
    } else if (info.type == io::ElementType::f32 || info.type == io::ElementType::f64) {
      column.cells = numbers(stored.read(name));
    } else {
      column.cells = stored.read_integers(name);
    }
    table.columns_.push_back(std::move(column));
  }
  if (table.columns_.empty()) throw BadInput(fmt::format("{}: no columns", table.file_));
  const auto length = [](const Column& column) {
    return std::visit([](const auto& cells) { return cells.size(); }, column.cells);
  };
  table.rows_ = length(table.columns_.front());
  for (const Column& column : table.columns_) {
    if (length(column) == table.rows_) continue;
    throw BadInput(fmt::format("{}: column {} has {} rows, {} has {}", table.file_,
                               table.columns_.front().name, table.rows_, column.name,
                               length(column)));
  }
  return table;
}

void RawTable::check() const {
  if (rows_ == 0) throw BadInput(fmt::format("{}: no rows below the header", file_));
  std::set<std::string_view> seen;
  for (const Column& column : columns_) {
    if (!seen.insert(column.name).second) {
      throw BadInput(fmt::format("{}: two columns are named '{}'", file_, column.name));
    }
  }
  for (size_t c = 0; c < columns_.size(); ++c) check_texts(c);
}

void RawTable::check_texts(size_t column) const {
  constexpr const char* kRefusal = "is not UTF-8: save the file as UTF-8";
  if (!is_utf8(columns_[column].name)) {
    throw BadInput(fmt::format("{}: the name of column {} {}", file_, column + 1, kRefusal));
  }
  const auto* texts = std::get_if<std::vector<std::string>>(&columns_[column].cells);
  if (texts == nullptr) return;
  const auto bad = std::ranges::find_if_not(*texts, is_utf8);
  if (bad == texts->end()) return;
  throw BadInput(
      fmt::format("{}: {}", place(column, static_cast<size_t>(bad - texts->begin())), kRefusal));
}

std::vector<std::string> RawTable::columns() const {
  std::vector<std::string> names;
  for (const Column& column : columns_) names.push_back(column.name);
  return names;
}

std::optional<size_t> RawTable::find(std::string_view name) const {
  const auto found = std::ranges::find(columns_, name, &Column::name);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<size_t>(found - columns_.begin());
}

size_t RawTable::column(std::string_view name, std::string_view key) const {
  if (const auto found = find(name)) return *found;
  std::vector<std::string> names = columns();
  const std::string hint = header_hint(names);
  const size_t more = names.size() - std::min(names.size(), kMostColumnsShown);
  names.resize(names.size() - more);
  throw BadInput(fmt::format("{}: expected a column '{}' ({}), it has {}{}{}", file_, name, key,
                             fmt::join(names, ", "),
                             more == 0 ? "" : fmt::format(" and {} more", more), hint));
}

std::string RawTable::text(size_t column, size_t row) const {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&columns_[column].cells)) {
    const std::string& cell = (*texts)[row];
    return is_missing(cell) ? "" : cell;
  }
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&columns_[column].cells)) {
    return fmt::format("{}", (*integers)[row]);
  }
  const double value = std::get<std::vector<double>>(columns_[column].cells)[row];
  return std::isnan(value) ? "" : fmt::format("{}", value);
}

std::optional<double> RawTable::number(size_t column, size_t row) const {
  if (const auto* values = std::get_if<std::vector<double>>(&columns_[column].cells)) {
    const double value = (*values)[row];
    if (std::isnan(value)) return std::nullopt;
    if (std::isfinite(value)) return within_bounds(value, column, row);
    throw BadInput(fmt::format("{}: expected a finite number, got {}", place(column, row), value));
  }
  if (const auto* integers = std::get_if<std::vector<int64_t>>(&columns_[column].cells)) {
    return static_cast<double>((*integers)[row]);
  }
  const std::string& cell = std::get<std::vector<std::string>>(columns_[column].cells)[row];
  if (is_missing(cell)) return std::nullopt;
  if (const auto value = parse_number<double>(cell)) return within_bounds(*value, column, row);
  throw BadInput(fmt::format("{}: expected a finite number, got '{}'", place(column, row), cell));
}

double RawTable::within_bounds(double value, size_t column, size_t row) const {
  constexpr double kLargest = 1e30;  // its square is a double, and itself a float
  if (std::abs(value) <= kLargest) return value;
  throw BadInput(fmt::format(
      "{}: expected a number between -1e30 and 1e30, got {}; leave the cell empty if it is missing",
      place(column, row), value));
}

std::string RawTable::place(size_t column, size_t row) const {
  const size_t number = lines_.empty() ? row + 1 : lines_[row];
  return fmt::format("{}: row {}, column {}", file_, number, columns_[column].name);
}

namespace {

// "numbers from 1 to 7", or "names: 3 different"; and how many are missing.
std::string describe_column(const RawTable& table, size_t column) {
  std::set<std::string> names;
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  size_t missing = 0;
  bool numbers = true;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string text = table.text(column, row);
    if (text.empty()) {
      ++missing;
      continue;
    }
    names.insert(text);
    const auto value = parse_number<double>(text);
    numbers = numbers && value.has_value();
    if (!value) continue;
    least = std::min(least, *value);
    most = std::max(most, *value);
  }
  std::string about = names.empty() ? "nothing"
                      : numbers     ? fmt::format("numbers from {:.6g} to {:.6g}", least, most)
                                    : fmt::format("names, {} different", names.size());
  if (missing > 0) about += fmt::format(", {} missing", missing);
  return about;
}

}  // namespace

std::string summary(const RawTable& table) {
  const std::vector<std::string> columns = table.columns();
  size_t width = 4;
  for (const std::string& name : columns) width = std::max(width, name.size());
  std::string text = fmt::format("table of {} rows\n", table.rows());
  for (size_t c = 0; c < columns.size(); ++c) {
    text += fmt::format("  {:{}}  {}\n", columns[c], width, describe_column(table, c));
  }
  return text;
}

}  // namespace outerloop::data
