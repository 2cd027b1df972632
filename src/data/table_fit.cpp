// What is learned from the training rows of a table: means, deviations, fills, categories, classes.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/table_encoding.h"
#include "outerloop/base/averages.h"
#include "outerloop/base/error.h"
#include "outerloop/data/csv_table.h"

namespace outerloop::data {
namespace {

constexpr size_t kMostCategories = 4096;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// By value if all are numbers, else by bytes.
std::vector<std::string> in_order(const std::set<std::string>& names) {
  std::vector<std::string> result(names.begin(), names.end());
  const auto value = [](const std::string& name) { return parse_number<double>(name); };
  if (std::ranges::all_of(result, [&](const std::string& n) { return value(n).has_value(); })) {
    std::ranges::stable_sort(result, {}, [&](const std::string& n) { return *value(n); });
  }
  return result;
}

struct Moments {
  double mean = 0, scale = 1;
};

// A constant has itself as mean, which a sum may miss, and scale 1; numbers that differ by rounding
// alone are one. Two passes, in the order of the rows.
Moments moments(const std::vector<double>& values) {
  if (values.empty()) return {};
  const auto [least, greatest] = std::ranges::minmax(values);
  if (greatest - least <= 1e-12 * std::max(std::abs(least), std::abs(greatest))) return {least, 1};
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / static_cast<double>(values.size()))};
}

class Fit {
 public:
  Fit(const RawTable& table, const TableColumns& columns, const std::vector<size_t>& rows)
      : table_(table), columns_(columns), rows_(rows) {}

  TablePreparation run() {
    TablePreparation result{.refuses_missing = columns_.missing == MissingCells::refuse,
                            .target = columns_.target};
    for (const std::string& name : feature_names()) result.features.push_back(fit_feature(name));
    const size_t target = table_.column(columns_.target, "tasks.table.target");
    if (columns_.classification) {
      result.classes = names_in(target);
    } else if (columns_.standardise) {
      const Moments m = moments(numbers_in(target));
      result.target_mean = m.mean;
      result.target_scale = m.scale;
    }
    return result;
  }

 private:
  std::vector<std::string> feature_names() const {
    const std::vector<std::string> roles{columns_.task, columns_.split, columns_.target};
    for (const std::string& name : columns_.left_out) {
      table_.column(name, "tasks.table.left_out");
    }
    std::vector<std::string> names = columns_.features;
    if (names.empty()) {
      for (std::string& name : table_.columns()) {
        if (!contains(roles, name) && !contains(columns_.left_out, name)) {
          names.push_back(std::move(name));
        }
      }
    }
    if (names.empty()) throw BadInput("the table has no feature columns");
    for (const std::string& name : names) {
      table_.column(name, "tasks.table.features");
      if (contains(roles, name) || contains(columns_.left_out, name)) {
        throw BadInput(fmt::format(
            "tasks.table.features: '{}' is the task, the split, the target or left out", name));
      }
    }
    for (const std::string& name : columns_.categories) {
      if (contains(names, name)) continue;
      throw BadInput(fmt::format("tasks.table.categories: '{}' is not a feature", name));
    }
    return names;
  }

  TableFeature fit_feature(const std::string& name) const {
    const size_t column = *table_.find(name);
    if (contains(columns_.categories, name)) {
      return {.name = name, .is_category = true, .categories = names_in(column)};
    }
    check_is_number(column);
    const std::vector<double> known = numbers_in(column);
    const Moments m = moments(known);
    TableFeature feature{.name = name};
    const bool by_median = columns_.missing == MissingCells::median && !known.empty();
    feature.fill = by_median ? median(known) : m.mean;
    feature.has_flag = columns_.flag_missing && known.size() < rows_.size();
    if (!columns_.standardise) return feature;
    // Of the filled column: its deviation is smaller.
    std::vector<double> filled = known;
    filled.resize(rows_.size(), feature.fill);
    const Moments all = moments(filled);
    feature.mean = all.mean;
    feature.scale = all.scale;
    return feature;
  }

  // The other rows tell at once too.
  void check_is_number(size_t column) const {
    for (size_t row = 0; row < table_.rows(); ++row) {
      try {
        table_.number(column, row);
      } catch (const BadInput& error) {
        throw BadInput(
            fmt::format("{}; name the column in tasks.table.categories, or in tasks.table.left_out",
                        error.what()));
      }
    }
  }

  std::vector<double> numbers_in(size_t column) const {
    std::vector<double> values;
    for (const size_t row : rows_) {
      if (const auto value = table_.number(column, row)) values.push_back(*value);
    }
    return values;
  }

  std::vector<std::string> names_in(size_t column) const {
    std::set<std::string> names;
    for (const size_t row : rows_) names.insert(table_.text(column, row));
    names.erase("");
    if (names.size() > kMostCategories) {
      throw BadInput(fmt::format("{}: more than {} different names; is it a number?",
                                 table_.place(column, 0), kMostCategories));
    }
    return in_order(names);
  }

  const RawTable& table_;
  const TableColumns& columns_;
  const std::vector<size_t>& rows_;
};

}  // namespace

TablePreparation fit_preparation(const RawTable& table, const TableColumns& columns,
                                 const std::vector<size_t>& training_rows) {
  return Fit(table, columns, training_rows).run();
}

}  // namespace outerloop::data
