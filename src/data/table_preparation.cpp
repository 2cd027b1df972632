// Preparations as text, and rows made ready by them.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "data/table_encoding.h"
#include "outerloop/base/error.h"
#include "outerloop/data/table_set.h"

namespace outerloop::data {
namespace {

using Json = nlohmann::ordered_json;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// One description of the fields for writing and reading.
template <class Feature, class Visitor>
void visit_feature(Feature& feature, Visitor visitor) {
  visitor("name", feature.name);
  visitor("is_category", feature.is_category);
  visitor("categories", feature.categories);
  visitor("fill", feature.fill);
  visitor("mean", feature.mean);
  visitor("scale", feature.scale);
  visitor("has_flag", feature.has_flag);
}

template <class Preparation, class Visitor>
void visit_preparation(Preparation& preparation, Visitor visitor) {
  visitor("refuses_missing", preparation.refuses_missing);
  visitor("target", preparation.target);
  visitor("classes", preparation.classes);
  visitor("target_mean", preparation.target_mean);
  visitor("target_scale", preparation.target_scale);
}

}  // namespace

int64_t TableFeature::inputs() const {
  return is_category ? static_cast<int64_t>(categories.size()) : has_flag ? 2 : 1;
}

int64_t TablePreparation::inputs() const {
  return std::accumulate(features.begin(), features.end(), int64_t{0},
                         [](int64_t sum, const TableFeature& f) { return sum + f.inputs(); });
}

std::string to_text(const TablePreparation& preparation) {
  Json json;
  visit_preparation(preparation, [&](const char* name, const auto& value) { json[name] = value; });
  json["features"] = Json::array();
  for (const TableFeature& feature : preparation.features) {
    Json& entry = json["features"].emplace_back();
    visit_feature(feature, [&](const char* name, const auto& value) { entry[name] = value; });
  }
  return json.dump();
}

TablePreparation parse_table_preparation(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    TablePreparation preparation;
    visit_preparation(preparation,
                      [&](const char* name, auto& value) { json.at(name).get_to(value); });
    for (const Json& entry : json.at("features")) {
      TableFeature& feature = preparation.features.emplace_back();
      visit_feature(feature, [&](const char* name, auto& value) { entry.at(name).get_to(value); });
    }
    return preparation;
  } catch (const Json::exception& error) {
    throw CorruptFile(fmt::format("preparation of a table: {}", error.what()));
  }
}

RowEncoder::RowEncoder(const RawTable& table, const TablePreparation& preparation)
    : table_(table), preparation_(preparation) {
  for (const TableFeature& feature : preparation.features) {
    columns_.push_back(table.column(feature.name, "a feature"));
  }
}

void RowEncoder::append(size_t row, std::vector<float>& inputs) const {
  for (size_t f = 0; f < columns_.size(); ++f) {
    const TableFeature& feature = preparation_.features[f];
    feature.is_category ? append_category(feature, columns_[f], row, inputs)
                        : append_number(feature, columns_[f], row, inputs);
  }
}

void RowEncoder::append_category(const TableFeature& feature, size_t column, size_t row,
                                 std::vector<float>& inputs) const {
  const std::string cell = table_.text(column, row);
  if (cell.empty()) refuse_missing(column, row);
  for (const std::string& category : feature.categories) {
    inputs.push_back(cell == category ? 1.0F : 0.0F);
  }
}

void RowEncoder::append_number(const TableFeature& feature, size_t column, size_t row,
                               std::vector<float>& inputs) const {
  const std::optional<double> cell = table_.number(column, row);
  if (!cell) refuse_missing(column, row);
  inputs.push_back(
      static_cast<float>((cell.value_or(feature.fill) - feature.mean) / feature.scale));
  if (feature.has_flag) inputs.push_back(cell ? 0.0F : 1.0F);
}

void RowEncoder::refuse_missing(size_t column, size_t row) const {
  if (!preparation_.refuses_missing) return;
  throw BadInput(fmt::format(
      "{}: the cell is missing; fill it, or train with tasks.table.missing=mean or median",
      table_.place(column, row)));
}

namespace {

size_t distinct_values(const RawTable& table, size_t column) {
  std::set<std::string> values;
  for (size_t row = 0; row < table.rows(); ++row) values.insert(table.text(column, row));
  return values.size();
}

int64_t count_unknown(const RawTable& table, const TableFeature& feature) {
  if (!feature.is_category) return 0;
  const size_t column = table.column(feature.name, "a feature");
  int64_t count = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string cell = table.text(column, row);
    count +=
        !cell.empty() && std::ranges::find(feature.categories, cell) == feature.categories.end();
  }
  return count;
}

}  // namespace

TableRows read_table_rows(const std::filesystem::path& file, const TablePreparation& preparation,
                          Targets targets, std::string_view task) {
  const RawTable table = RawTable::read(file);
  const RowEncoder encoder(table, preparation);
  TableRows result{.rows = static_cast<int64_t>(table.rows())};
  for (size_t row = 0; row < table.rows(); ++row) encoder.append(row, result.x);
  if (const auto column = table.find(task)) result.tasks = distinct_values(table, *column);
  for (const TableFeature& feature : preparation.features) {
    result.unknown_categories.push_back(count_unknown(table, feature));
  }
  const bool required = targets == Targets::required;
  const std::optional<size_t> target =
      required ? table.column(preparation.target, "the target") : table.find(preparation.target);
  for (size_t row = 0; row < table.rows(); ++row) {
    std::string cell = target ? table.text(*target, row) : "";
    if (cell.empty() && required) {
      throw BadInput(fmt::format("{}: the target is missing; fill it in, or leave the row out",
                                 table.place(*target, row)));
    }
    if (!preparation.classes.empty()) {
      result.labels.push_back(std::move(cell));
    } else {
      result.y.push_back(cell.empty() ? kUnknown : *table.number(*target, row));
    }
  }
  return result;
}

}  // namespace outerloop::data
