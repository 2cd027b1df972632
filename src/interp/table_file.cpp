#include "interp/table_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/edit_distance.h"
#include "outerloop/base/error.h"
#include "outerloop/data/csv_table.h"

namespace outerloop::interp {

namespace {

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& file)
      : name_(file.string()), table_(data::parse_csv(read_file(file), name_)) {
    if (table_.rows.empty()) throw BadInput(fmt::format("{}: the table has no rows", name_));
  }

  const std::vector<std::string>& columns() const { return table_.columns; }
  size_t rows() const { return table_.rows.size(); }

  size_t place(const std::string& column, const char* role) const {
    if (const auto found = table_.column(column)) return *found;
    const std::vector<std::string_view> names(columns().begin(), columns().end());
    const auto near = nearest_word(column, names);
    throw BadInput(near ? fmt::format("{}: {}: there is no column '{}'; did you mean '{}'?", name_,
                                      role, column, *near)
                        : fmt::format("{}: {}: there is no column '{}'; there are {}", name_, role,
                                      column, fmt::join(names, ", ")));
  }

  double value(size_t row, size_t column) const {
    const std::string& text = table_.rows[row][column];
    if (const auto value = number(text)) return *value;
    throw BadInput(fmt::format("{}: row {}: column '{}': expected a number, got '{}'", name_,
                               row + 2, columns()[column], text));
  }
  const std::string& text(size_t row, size_t column) const { return table_.rows[row][column]; }

  bool holds_numbers(size_t column) const {
    return std::ranges::any_of(
        table_.rows, [column](const auto& row) { return number(row[column]).has_value(); });
  }

 private:
  std::string name_;
  data::CsvTable table_;
};

// Numbers as they are; words by their place among all, sorted.
void read_target(const Reader& reader, size_t column, TargetTable& table) {
  if (reader.holds_numbers(column)) {
    for (size_t i = 0; i < reader.rows(); ++i) table.targets.push_back(reader.value(i, column));
    return;
  }
  auto& classes = table.classes;
  for (size_t i = 0; i < reader.rows(); ++i) classes.push_back(reader.text(i, column));
  std::ranges::sort(classes);
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  for (size_t i = 0; i < reader.rows(); ++i) {
    const auto place = std::ranges::lower_bound(classes, reader.text(i, column));
    table.targets.push_back(static_cast<double>(place - classes.begin()));
  }
}

void read_weights(const Reader& reader, const std::string& column, TargetTable& table) {
  const size_t place = reader.place(column, "weights");
  double total = 0;
  for (size_t i = 0; i < reader.rows(); ++i) {
    table.weights.push_back(reader.value(i, place));
    if (table.weights.back() < 0) {
      throw BadInput(fmt::format("column '{}', row {}: a weight must not be negative, got {}",
                                 column, i + 2, table.weights.back()));
    }
    total += table.weights.back();
  }
  if (!(total > 0)) throw BadInput(fmt::format("column '{}': all weights are 0", column));
}

}  // namespace

TargetTable read_table(const std::filesystem::path& file, const TableColumns& columns) {
  const Reader reader(file);
  TargetTable table;
  const size_t target = reader.place(columns.target, "target");
  table.features = columns.features;
  if (table.features.empty()) {
    for (const std::string& name : reader.columns()) {
      if (name != columns.target && name != columns.weights) table.features.push_back(name);
    }
  }
  std::vector<size_t> places;
  for (const std::string& name : table.features) {
    const size_t place = reader.place(name, "features");
    if (std::ranges::find(places, place) != places.end() || place == target) {
      throw BadInput(fmt::format("features: column '{}' is {}; name it once", name,
                                 place == target ? "the target too" : "named twice"));
    }
    places.push_back(place);
  }
  if (places.empty())
    throw BadInput(fmt::format("{}: no column is left as a feature", file.string()));
  for (size_t i = 0; i < reader.rows(); ++i) {
    for (const size_t place : places) table.x.push_back(reader.value(i, place));
  }
  read_target(reader, target, table);
  if (!columns.weights.empty()) read_weights(reader, columns.weights, table);
  return table;
}

}  // namespace outerloop::interp
