#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"
#include "outerloop/interp/exchange.h"
#include "outerloop/interp/lime.h"

namespace outerloop::interp {

namespace {

// One column of a table, and the same with mean 0 and variance 1; constant ones all 0.
struct ScaledColumn {
  std::vector<double> values;
  std::vector<double> scaled;
  double mean = 0;
  bool is_constant = true;

  ScaledColumn(const TableView& x, size_t j) {
    for (size_t i = 0; i < x.rows(); ++i) values.push_back(x.row(i)[j]);
    scaled.resize(values.size());
    is_constant = std::ranges::all_of(values, [&](double v) { return v == values[0]; });
    if (is_constant) return;
    mean = mean_of(values);
    std::vector<double> squares;
    for (const double value : values) squares.push_back((value - mean) * (value - mean));
    const double deviation = std::sqrt(mean_of(squares));
    for (size_t i = 0; i < values.size(); ++i) scaled[i] = (values[i] - mean) / deviation;
  }
};

// Of the columns outside a group, side by side: (rows, columns outside).
std::vector<double> outside(std::span<const ScaledColumn> columns, const FeatureGroup& group,
                            size_t rows) {
  std::vector<double> table;
  for (size_t i = 0; i < rows; ++i) {
    for (uint32_t j = 0; j < columns.size(); ++j) {
      if (!std::ranges::binary_search(group.columns, j)) table.push_back(columns[j].scaled[i]);
    }
  }
  return table;
}

}  // namespace

std::vector<double> ridge_residuals(const TableView& x, std::span<const FeatureGroup> groups,
                                    double ridge) {
  if (!(ridge > 0)) throw BadInput(fmt::format("ridge must be above 0, got {}", ridge));
  std::vector<ScaledColumn> columns;
  for (size_t j = 0; j < x.columns(); ++j) columns.emplace_back(x, j);
  const std::vector<double> ones(x.rows(), 1.0);
  std::vector<double> residuals(x.values().size());
  for (const FeatureGroup& group : groups) {
    const std::vector<double> z = outside(columns, group, x.rows());
    const size_t width = x.columns() - group.columns.size();
    for (const uint32_t c : group.columns) {
      const ScaledColumn& column = columns[c];
      if (column.is_constant) continue;
      const RidgeFit<double> fit = width == 0
                                       ? RidgeFit<double>{.intercept = column.mean}
                                       : weighted_ridge<double>(z, column.values, ones, ridge);
      for (size_t i = 0; i < x.rows(); ++i) {
        double fitted = fit.intercept;
        for (size_t j = 0; j < width; ++j) fitted += z[i * width + j] * fit.coefficients[j];
        residuals[i * x.columns() + c] = column.values[i] - fitted;
      }
    }
  }
  return residuals;
}

}  // namespace outerloop::interp
