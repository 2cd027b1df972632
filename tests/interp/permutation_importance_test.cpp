#include "outerloop/interp/permutation_importance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "outerloop/base/error.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

// Column 0 counts, columns 1 and 2 count alike, column 3 is ignored, column 4 is constant.
constexpr size_t kColumns = 5;
const Model kModel = {.width = 1, .predict = [](const TableView& x, std::span<double> out) {
                        for (size_t i = 0; i < x.rows(); ++i) {
                          const auto row = x.row(i);
                          out[i] = 3 * row[0] + (row[1] + row[2]) + row[4];
                        }
                      }};

struct Data {
  Numbers x;
  Numbers y;
  TableView table() const { return {x, kColumns}; }
};

Data make_data(size_t rows) {
  std::mt19937 generator(7);
  std::normal_distribution<double> normal;
  Data data;
  for (size_t i = 0; i < rows; ++i) {
    const double shared = normal(generator);
    const Numbers row = {normal(generator), shared, shared, normal(generator), 2.5};
    data.x.insert(data.x.end(), row.begin(), row.end());
    data.y.push_back(3 * row[0] + 2 * shared + 2.5 + 0.1 * normal(generator));
  }
  return data;
}

std::vector<FeatureGroup> each_column(size_t columns) {
  std::vector<FeatureGroup> groups;
  for (uint32_t j = 0; j < columns; ++j) groups.push_back({{}, {j}});
  return groups;
}

std::vector<Importance> importances_of(const Model& model, const TableView& x, const Numbers& y,
                                       std::span<const Metric> metrics, const SklearnDraws& draws,
                                       std::span<const double> weights = {}) {
  const auto groups = each_column(x.columns());
  return permutation_importance({.model = gathering(model),
                                 .x = x,
                                 .targets = y,
                                 .weights = weights,
                                 .metrics = metrics,
                                 .groups = groups},
                                sklearn_exchange(draws));
}

Importance importance_of(const Data& data, std::string_view metric, const SklearnDraws& draws,
                         std::span<const double> weights = {}) {
  return importances_of(kModel, data.table(), data.y, {&metric_named(metric), 1}, draws,
                        weights)[0];
}

Numbers column_of(const Importance& importance, size_t j) {
  const auto first =
      importance.decreases.begin() + static_cast<std::ptrdiff_t>(j * importance.repeats);
  return {first, first + static_cast<std::ptrdiff_t>(importance.repeats)};
}

TEST(SklearnDraws, SeedsAndShufflesAsScikitLearn) {
  const SklearnDraws draws = sklearn_draws(0, 150, 150, 2);
  EXPECT_EQ(draws.seed, 209652396u);
  const std::vector<uint32_t> first(draws.donors[0].begin(), draws.donors[0].begin() + 8);
  EXPECT_EQ(first, (std::vector<uint32_t>{61, 73, 21, 95, 44, 29, 107, 72}));
  EXPECT_EQ(sklearn_draws(42, 150, 150, 1).seed, 1608637542u);
}

TEST(SklearnDraws, GiveEveryPlaceOneDonor) {
  const SklearnDraws draws = sklearn_draws(3, 50, 20, 4);
  EXPECT_EQ(draws.rows.size(), 20u);
  EXPECT_EQ(draws.donors.size(), 4u);
  for (std::vector<uint32_t> donors : draws.donors) {
    std::ranges::sort(donors);
    for (uint32_t i = 0; i < 20; ++i) EXPECT_EQ(donors[i], i);
  }
}

TEST(SklearnDraws, RefuseWhatCannotBeDrawn) {
  EXPECT_THROW(sklearn_draws(0, 5, 6, 1), BadInput);
  EXPECT_THROW(sklearn_draws(0, 5, 0, 1), BadInput);
  EXPECT_THROW(sklearn_draws(0, 5, 5, 0), BadInput);
  EXPECT_EQ(sampled_rows(0.5, 7), 3u);
  EXPECT_EQ(sampled_rows(1.0, 7), 7u);
  EXPECT_THROW(sampled_rows(0.1, 7), BadInput);
  EXPECT_THROW(sampled_rows(1.5, 7), BadInput);
}

// The example of scikit-learn's documentation: three rows of each class, the class is column 0.
TEST(PermutationImportance, IsThatOfTheDocumentedExample) {
  const Numbers x = {1, 9, 9, 1, 9, 9, 1, 9, 9, 0, 9, 9, 0, 9, 9, 0, 9, 9};
  const Numbers y = {1, 1, 1, 0, 0, 0};
  const Model copies = {.width = 1, .predict = [](const TableView& table, std::span<double> out) {
                          for (size_t i = 0; i < table.rows(); ++i) out[i] = table.row(i)[0];
                        }};
  const Metric& metric = metric_named("accuracy");
  const auto importance =
      importances_of(copies, TableView(x, 3), y, {&metric, 1}, sklearn_draws(0, 6, 6, 10))[0];
  const double third = 1 - 4.0 / 6;
  const double two_thirds = 1 - 2.0 / 6;
  EXPECT_EQ(column_of(importance, 0), (Numbers{third, two_thirds, third, third, two_thirds, 1.0,
                                               third, third, third, third}));
  EXPECT_NEAR(importance.mean[0], 0.46666667, 1e-8);
  EXPECT_NEAR(importance.deviation[0], 0.22110832, 1e-8);
}

TEST(PermutationImportance, OfWhatTheModelIgnoresIsExactlyZero) {
  const Data data = make_data(60);
  for (const char* metric : {"r2", "mse", "mae"}) {
    const Importance importance = importance_of(data, metric, sklearn_draws(1, 60, 60, 5));
    EXPECT_EQ(column_of(importance, 3), Numbers(5, 0.0)) << metric;
    EXPECT_EQ(column_of(importance, 4), Numbers(5, 0.0)) << metric;
    EXPECT_GT(importance.mean[0], importance.mean[1]) << metric;
    EXPECT_GT(importance.mean[1], 0) << metric;
  }
}

TEST(PermutationImportance, OfEqualColumnsIsEqual) {
  const Data data = make_data(60);
  const Importance importance = importance_of(data, "r2", sklearn_draws(1, 60, 60, 5));
  EXPECT_EQ(column_of(importance, 1), column_of(importance, 2));
}

TEST(PermutationImportance, OfSeveralMetricsIsThatOfEach) {
  const Data data = make_data(60);
  const auto draws = sklearn_draws(9, 60, 30, 4);
  const std::vector<Metric> metrics = {metric_named("mae"), metric_named("r2")};
  const auto both = importances_of(kModel, data.table(), data.y, metrics, draws);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].decreases, importance_of(data, "mae", draws).decreases);
  EXPECT_EQ(both[1].decreases, importance_of(data, "r2", draws).decreases);
  EXPECT_EQ(both[1].metric, "r2");
}

TEST(PermutationImportance, TakesWeightsOfOneAsNone) {
  const Data data = make_data(60);
  const auto draws = sklearn_draws(9, 60, 60, 4);
  const Numbers ones(60, 1.0);
  EXPECT_EQ(importance_of(data, "r2", draws, ones).decreases,
            importance_of(data, "r2", draws).decreases);
}

// Permuting column j of a linear model costs 2 b^2 var(x_j) of squared error on average where the
// residual is independent of it.
TEST(PermutationImportance, OfALinearModelFollowsTheClosedForm) {
  const Data data = make_data(400);
  const Importance importance = importance_of(data, "mse", sklearn_draws(5, 400, 400, 200));
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < data.y.size(); ++i) {
    sum += data.x[i * kColumns];
    squares += data.x[i * kColumns] * data.x[i * kColumns];
  }
  const double variance = squares / 400 - sum * sum / 400 / 400;
  EXPECT_NEAR(importance.mean[0], 2 * 9 * variance, 0.02 * 2 * 9 * variance);
}

// As scikit-learn does, and unlike what one might expect.
TEST(PermutationImportance, KeepsTheBaselineOfAllRows) {
  const Numbers x = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Numbers y = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1};
  const Model constant = {.width = 1, .predict = [](const TableView&, std::span<double> out) {
                            std::ranges::fill(out, 0.0);
                          }};
  const auto draws = sklearn_draws(0, 10, 5, 3);
  const auto zeros = std::ranges::count_if(draws.rows, [](uint32_t row) { return row < 7; });
  const Metric& metric = metric_named("accuracy");
  const auto importance = importances_of(constant, TableView(x, 1), y, {&metric, 1}, draws)[0];
  EXPECT_EQ(importance.baseline, 0.7);
  EXPECT_EQ(column_of(importance, 0), Numbers(3, 0.7 - static_cast<double>(zeros) / 5));
}

TEST(PermutationImportance, RefusesSizesThatDoNotFit) {
  Data data = make_data(10);
  const auto draws = sklearn_draws(0, 10, 10, 1);
  EXPECT_THROW(importance_of(data, "r2", draws, Numbers(9, 1.0)), BadInput);
  data.y.pop_back();
  EXPECT_THROW(importance_of(data, "r2", draws), BadInput);
  EXPECT_THROW(TableView(data.x, 7), BadInput);
}

}  // namespace
}  // namespace outerloop::interp
