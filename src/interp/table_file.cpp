#include "interp/table_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/edit_distance.h"
#include "outerloop/base/error.h"
#include "outerloop/data/csv_table.h"
#include "outerloop/data/raw_table.h"

namespace outerloop::interp {

namespace {

using data::RawTable;

size_t column_named(const RawTable& raw, const std::string& name, const char* key) {
  if (const auto found = raw.find(name)) return *found;
  const std::vector<std::string> columns = raw.columns();
  const std::vector<std::string_view> names(columns.begin(), columns.end());
  if (const auto near = nearest_word(name, names)) {
    throw BadInput(
        fmt::format("{}: there is no column '{}'; did you mean '{}'?", key, name, *near));
  }
  return raw.column(name, key);
}

double number(const RawTable& raw, size_t column, size_t row) {
  if (const auto value = raw.number(column, row)) return *value;
  throw BadInput(
      fmt::format("{}: is missing; fill it or leave the column out", raw.place(column, row)));
}

bool holds_numbers(const RawTable& raw, size_t column) {
  for (size_t i = 0; i < raw.rows(); ++i) {
    if (data::parse_number<double>(raw.text(column, i))) return true;
  }
  return false;
}

// Numbers as they are; words by their place among all, sorted.
void read_target(const RawTable& raw, size_t column, TargetTable& table) {
  if (holds_numbers(raw, column)) {
    for (size_t i = 0; i < raw.rows(); ++i) table.targets.push_back(number(raw, column, i));
    return;
  }
  auto& classes = table.classes;
  for (size_t i = 0; i < raw.rows(); ++i) {
    classes.push_back(raw.text(column, i));
    if (!classes.back().empty()) continue;
    throw BadInput(
        fmt::format("{}: the target is missing; leave the row out", raw.place(column, i)));
  }
  std::ranges::sort(classes);
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  for (size_t i = 0; i < raw.rows(); ++i) {
    const auto place = std::ranges::lower_bound(classes, raw.text(column, i));
    table.targets.push_back(static_cast<double>(place - classes.begin()));
  }
}

void read_weights(const RawTable& raw, size_t column, TargetTable& table) {
  double total = 0;
  for (size_t i = 0; i < raw.rows(); ++i) {
    table.weights.push_back(number(raw, column, i));
    total += table.weights.back();
    if (table.weights.back() >= 0) continue;
    throw BadInput(fmt::format("{}: a weight must not be negative, got {}", raw.place(column, i),
                               table.weights.back()));
  }
  if (!(total > 0)) throw BadInput("weights: all are 0");
}

}  // namespace

TargetTable read_table(const std::filesystem::path& file, const TableColumns& columns) {
  const RawTable raw = RawTable::read(file);
  TargetTable table;
  const size_t target = column_named(raw, columns.target, "target");
  table.features = columns.features;
  if (table.features.empty()) {
    for (const std::string& name : raw.columns()) {
      if (name != columns.target && name != columns.weights) table.features.push_back(name);
    }
  }
  std::vector<size_t> places;
  for (const std::string& name : table.features) {
    const size_t place = column_named(raw, name, "features");
    if (std::ranges::find(places, place) != places.end() || place == target) {
      throw BadInput(fmt::format("features: column '{}' is {}; name it once", name,
                                 place == target ? "the target too" : "named twice"));
    }
    places.push_back(place);
  }
  if (places.empty()) {
    throw BadInput(fmt::format("{}: no column is left as a feature", file.string()));
  }
  for (size_t i = 0; i < raw.rows(); ++i) {
    for (const size_t place : places) table.x.push_back(number(raw, place, i));
  }
  read_target(raw, target, table);
  if (!columns.weights.empty()) {
    read_weights(raw, column_named(raw, columns.weights, "weights"), table);
  }
  return table;
}

}  // namespace outerloop::interp
