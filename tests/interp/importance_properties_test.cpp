// What every way to permute must satisfy: the same statements for scikit-learn's draws, keyed
// draws, exact donors and conditional donors.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "outerloop/base/error.h"
#include "outerloop/interp/permutation_importance.h"

namespace outerloop::interp {
namespace {

using Numbers = std::vector<double>;

// y = 3 x0 + x1 + x2 + x4 + noise, x2 a copy of x1; x3 is not used, x4 is constant, x5 depends on
// x0 and is not used.
constexpr size_t kDrawnColumns = 6;

double answer(std::span<const double> row) {
  return 3 * row[0] + (row[1] + row[2]) + row[4];
}

BlockModel by_row(std::function<double(std::span<const double>)> f) {
  return gathering({.predict = [f = std::move(f)](const TableView& x, std::span<double> out) {
    for (size_t i = 0; i < x.rows(); ++i) out[i] = f(x.row(i));
  }});
}

struct Data {
  Numbers x;
  Numbers y;
  Numbers classes;  // of unequal sizes
  TableView table() const { return {x, kDrawnColumns}; }
};

Data make_data(size_t rows) {
  std::mt19937 generator(7);
  std::normal_distribution<double> normal;
  Data data;
  for (size_t i = 0; i < rows; ++i) {
    const double first = normal(generator);
    const double shared = normal(generator);
    const Numbers row = {first, shared, shared, normal(generator), 2.7, first + normal(generator)};
    data.x.insert(data.x.end(), row.begin(), row.end());
    data.y.push_back(answer(row) + 0.1 * normal(generator));
    data.classes.push_back(static_cast<double>(i % 7 == 0 ? 2 : i % 2));
  }
  return data;
}

const std::vector<std::string> kNames = {"a", "b", "c", "d", "e", "f"};

// One way to permute, by its name.
struct Way {
  std::string name;
  double ridge = 0;  // of conditional donors
  std::function<Exchange(const Data&)> exchange;
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}

const std::vector<Way> kWays = {
    {"sklearn", 0,
     [](const Data& d) { return sklearn_exchange(sklearn_draws(1, d.y.size(), d.y.size(), 4)); }},
    {"keyed", 0,
     [](const Data& d) {
       return keyed_exchange({.seed = 1, .rows = d.y.size(), .samples = d.y.size(), .repeats = 4});
     }},
    {"keyed_sample", 0,
     [](const Data& d) {
       return keyed_exchange(
           {.seed = 1, .rows = d.y.size(), .samples = d.y.size() / 3, .repeats = 4});
     }},
    {"keyed_within_class", 0,
     [](const Data& d) {
       return keyed_exchange({.seed = 1, .rows = d.y.size(), .samples = d.y.size(), .repeats = 4},
                             d.classes);
     }},
    {"keyed_ridge", 1,
     [](const Data& d) {
       return keyed_exchange({.seed = 1, .rows = d.y.size(), .samples = d.y.size(), .repeats = 4});
     }},
    {"exact", 0, [](const Data& d) { return exact_exchange(d.y.size()); }},
    {"exact_within_class", 0, [](const Data& d) { return exact_exchange(d.y.size(), d.classes); }},
    {"exact_ridge", 1, [](const Data& d) { return exact_exchange(d.y.size()); }},
};

struct Setting {
  std::string metric = "mse";
  std::vector<NamedGroup> groups = {};
  Numbers weights = {};
};

struct Found {
  std::vector<FeatureGroup> groups;
  Importance importance;

  size_t place(std::string_view name) const {
    return static_cast<size_t>(std::ranges::find(groups, name, &FeatureGroup::name) -
                               groups.begin());
  }
  Numbers of(std::string_view name) const {
    const auto first = importance.decreases.begin() +
                       static_cast<std::ptrdiff_t>(place(name) * importance.repeats);
    return {first, first + static_cast<std::ptrdiff_t>(importance.repeats)};
  }
  double mean(std::string_view name) const { return importance.mean[place(name)]; }
};

Found find(const Way& way, const Data& data, const Setting& setting = {},
           const BlockModel& model = by_row(answer)) {
  Found found{.groups = feature_groups(kNames, setting.groups)};
  Numbers residuals;
  if (way.ridge > 0) residuals = ridge_residuals(data.table(), found.groups, way.ridge);
  const Metric& metric = metric_named(setting.metric);
  found.importance = permutation_importance({.model = model,
                                             .x = data.table(),
                                             .targets = data.y,
                                             .weights = setting.weights,
                                             .metrics = {&metric, 1},
                                             .groups = found.groups,
                                             .residuals = residuals},
                                            way.exchange(data))[0];
  return found;
}

class EveryWay : public testing::TestWithParam<Way> {};

INSTANTIATE_TEST_SUITE_P(, EveryWay, testing::ValuesIn(kWays),
                         [](const auto& way) { return way.param.name; });

// Property 1.
TEST_P(EveryWay, GivesWhatIsUnusedOrConstantExactlyNothing) {
  const Data data = make_data(60);
  Numbers weights;
  for (size_t i = 0; i < 60; ++i) weights.push_back(0.3 + static_cast<double>(i % 5));
  for (const char* metric : {"r2", "mse", "mae"}) {
    for (const Numbers& w : {Numbers{}, weights}) {
      const Found found = find(GetParam(), data, {.metric = metric, .weights = w});
      const Numbers nothing(found.importance.repeats, 0.0);
      for (const char* unused : {"d", "e", "f"}) EXPECT_EQ(found.of(unused), nothing) << unused;
      EXPECT_GT(found.mean("a"), 0);
    }
  }
}

// Property 4, first part: common random numbers.
TEST_P(EveryWay, GivesTwinsTheSame) {
  const Found found = find(GetParam(), make_data(60));
  EXPECT_EQ(found.of("b"), found.of("c"));
}

// Property 4, third part.
TEST_P(EveryWay, TakesAGroupOfOneAsItsColumn) {
  const Data data = make_data(60);
  const Found alone = find(GetParam(), data);
  const Found grouped = find(GetParam(), data, {.groups = {{"first", {"a"}}}});
  EXPECT_EQ(grouped.of("first"), alone.of("a"));
  EXPECT_EQ(grouped.of("b"), alone.of("b"));
}

// Property 6: rows give a group's values together. A model of the difference of twins sees nothing.
TEST_P(EveryWay, KeepsTheValuesOfAGroupTogether) {
  const BlockModel difference = by_row([](std::span<const double> row) { return row[1] - row[2]; });
  const Data data = make_data(60);
  const Found together = find(GetParam(), data, {.groups = {{"twins", {"b", "c"}}}}, difference);
  for (const double value : together.of("twins")) EXPECT_NEAR(value, 0, 1e-12);
}

// Property 5, second part.
TEST_P(EveryWay, LeavesNumbersAsTheyAreWhenAColumnIsDropped) {
  if (GetParam().ridge > 0) GTEST_SKIP() << "conditional donors are drawn from the other columns";
  const Data data = make_data(60);
  const Found all = find(GetParam(), data);
  Data fewer = data;
  fewer.x.clear();
  for (size_t i = 0; i < data.y.size(); ++i) {
    const auto row = data.table().row(i);
    fewer.x.insert(fewer.x.end(), row.begin() + 1, row.end());
  }
  // The same model of what is left in both tables.
  const BlockModel rest =
      by_row([](std::span<const double> row) { return row[0] + row[1] + row[3]; });
  const BlockModel all_but_first =
      by_row([](std::span<const double> row) { return row[1] + row[2] + row[4]; });
  const std::vector<FeatureGroup> groups = {{"c", {1}}, {"b", {0}}};
  const Metric& metric = metric_named("mse");
  const auto dropped = permutation_importance({.model = rest,
                                               .x = TableView(fewer.x, kDrawnColumns - 1),
                                               .targets = data.y,
                                               .metrics = {&metric, 1},
                                               .groups = groups},
                                              GetParam().exchange(data))[0];
  const Found kept = find(GetParam(), data, {}, all_but_first);
  const Numbers b(dropped.decreases.begin() + static_cast<std::ptrdiff_t>(dropped.repeats),
                  dropped.decreases.end());
  EXPECT_EQ(kept.of("b"), b);
}

// Property 5: cells by themselves, from the last to the first, give the same numbers.
TEST_P(EveryWay, ScoresCellsInAnyOrder) {
  const Data data = make_data(60);
  const Found found = find(GetParam(), data);
  Numbers residuals;
  if (GetParam().ridge > 0) residuals = ridge_residuals(data.table(), found.groups, 1);
  const Metric& metric = metric_named("mse");
  const PermutationScorer scorer({.model = by_row(answer),
                                  .x = data.table(),
                                  .targets = data.y,
                                  .metrics = {&metric, 1},
                                  .groups = found.groups,
                                  .residuals = residuals},
                                 GetParam().exchange(data));
  for (size_t cell = scorer.groups() * scorer.repeats(); cell-- > 0;) {
    EXPECT_EQ(scorer.decreases(cell / scorer.repeats(), cell % scorer.repeats())[0],
              found.importance.decreases[cell]);
  }
}

Found found_by(const char* name, const Data& data, const Setting& setting = {}) {
  return find(*std::ranges::find(kWays, name, &Way::name), data, setting);
}

// Property 4, second part: permuting all columns is permuting the labels.
TEST(AllColumns, ArePermutedAsTheLabels) {
  const Data data = make_data(60);
  const Exchange exchange = keyed_exchange({.seed = 1, .rows = 60, .samples = 60, .repeats = 4});
  const Found found = found_by("keyed", data, {.groups = {{"all", kNames}}});
  for (size_t k = 0; k < 4; ++k) {
    Numbers predictions;
    for (const uint32_t donor : exchange.donors(k)) {
      predictions.push_back(answer(data.table().row(donor)));
    }
    Numbers of_all;
    for (size_t i = 0; i < 60; ++i) of_all.push_back(answer(data.table().row(i)));
    const double expected =
        mean_squared_error(data.y, {predictions}, {}) - mean_squared_error(data.y, {of_all}, {});
    EXPECT_NEAR(found.of("all")[k], expected, 1e-12);
  }
}

// Property 2, as definition: the mean over all pairs of a row and a donor.
TEST(Exact, IsTheMeanOverAllPairs) {
  const Data data = make_data(30);
  double sum = 0;
  for (size_t i = 0; i < 30; ++i) {
    for (size_t k = 0; k < 30; ++k) {
      const auto own = data.table().row(i);
      Numbers row(own.begin(), own.end());
      row[0] = data.table().row(k)[0];
      sum += std::pow(data.y[i] - answer(row), 2) - std::pow(data.y[i] - answer(own), 2);
    }
  }
  EXPECT_NEAR(found_by("exact", data).mean("a"), sum / 900, 1e-12);
}

// … and what permutations give on average, for every metric that is a mean over rows.
TEST(Exact, IsTheExpectationOverPermutations) {
  const Data data = make_data(24);
  Numbers weights;
  for (size_t i = 0; i < 24; ++i) weights.push_back(1.0 + static_cast<double>(i % 3));
  const Way many = {
      "many", 0, [](const Data& d) {
        return keyed_exchange({.rows = d.y.size(), .samples = d.y.size(), .repeats = 4000});
      }};
  const Way many_within = {"many_within", 0, [](const Data& d) {
                             return keyed_exchange(
                                 {.rows = d.y.size(), .samples = d.y.size(), .repeats = 4000},
                                 d.classes);
                           }};
  for (const char* metric : {"r2", "mse", "mae"}) {
    const Setting setting{.metric = metric, .weights = weights};
    const auto expect = [&](const Way& sampled, const char* exact) {
      const Found monte_carlo = find(sampled, data, setting);
      const double error = monte_carlo.importance.deviation[0] / std::sqrt(4000);
      EXPECT_NEAR(found_by(exact, data, setting).mean("a"), monte_carlo.mean("a"), 4 * error)
          << metric << " " << exact;
    };
    expect(many, "exact");
    expect(many_within, "exact_within_class");
  }
}

// Property 3: a linear model's squared error rises by 2 b^2 var(x) + 2 b cov(residual, x), ddof 0.
TEST(Exact, FollowsTheClosedFormOfALinearModel) {
  const Data data = make_data(50);
  double x_mean = 0, r_mean = 0;
  for (size_t i = 0; i < 50; ++i) {
    x_mean += data.table().row(i)[0] / 50;
    r_mean += (data.y[i] - answer(data.table().row(i))) / 50;
  }
  double variance = 0, covariance = 0;
  for (size_t i = 0; i < 50; ++i) {
    const double x = data.table().row(i)[0] - x_mean;
    variance += x * x / 50;
    covariance += x * (data.y[i] - answer(data.table().row(i)) - r_mean) / 50;
  }
  EXPECT_NEAR(found_by("exact", data).mean("a"), 2 * 9 * variance + 2 * 3 * covariance, 1e-12);
}

// The golden value of iris, nearest centroids, petal length: V, and U = V n / (n - 1) without the
// row itself.
TEST(Exact, OfIrisIsTheKnownValue) {
  const auto golden =
      nlohmann::json::parse(std::ifstream(OUTERLOOP_SOURCE_DIR "/tests/reference/importance.json"));
  Numbers x;
  for (const Numbers row : golden["datasets"]["iris"]["X"])
    x.insert(x.end(), row.begin(), row.end());
  const Numbers y = golden["datasets"]["iris"]["y"];
  Numbers centroids;
  for (const Numbers row : golden["models"]["iris_centroid"]["centroids"]) {
    centroids.insert(centroids.end(), row.begin(), row.end());
  }
  const BlockModel nearest = by_row([&](std::span<const double> row) {
    Numbers distances(3);
    for (size_t c = 0; c < 3; ++c) {
      for (size_t j = 0; j < 4; ++j) distances[c] += std::pow(row[j] - centroids[c * 4 + j], 2);
    }
    return static_cast<double>(std::ranges::min_element(distances) - distances.begin());
  });
  const std::vector<FeatureGroup> groups = {{"petal length", {2}}};
  const Metric& metric = metric_named("accuracy");
  const double value = permutation_importance({.model = nearest,
                                               .x = TableView(x, 4),
                                               .targets = y,
                                               .metrics = {&metric, 1},
                                               .groups = groups},
                                              exact_exchange(150))[0]
                           .mean[0];
  EXPECT_NEAR(value, 0.5205777778, 1e-10);
  EXPECT_NEAR(value * 150 / 149, 0.5240715884, 1e-10);
}

TEST(Exact, IsRefusedWhereRowsAreNotApart) {
  const Data data = make_data(20);
  EXPECT_THROW(found_by("exact", data, {.metric = "auroc"}), BadInput);
  BlockModel coupled = by_row(answer);
  coupled.coupling = "batch normalisation sees all rows";
  EXPECT_THROW(find(kWays[5], data, {}, coupled), BadInput);
  EXPECT_NO_THROW(find(kWays[1], data, {}, coupled));
}

// Coupled rows are asked as one block, whatever their number.
TEST(CoupledRows, AreAskedTogether) {
  const Data data = make_data(5000);
  BlockModel model = {.predict =
                          [](const GatheredRows& rows, std::span<double> out) {
                            EXPECT_EQ(rows.size(), 5000u);
                            std::ranges::fill(out, 0.0);
                          },
                      .coupling = "batch normalisation sees all rows"};
  find(kWays[1], data, {}, model);
}

// What the other columns say of a column is not exchanged: a copy is worth nothing by itself.
TEST(ConditionalDonors, TakeWhatOtherColumnsDoNotSay) {
  const Data data = make_data(200);
  const Found marginal = found_by("exact", data);
  const Found conditional = found_by("exact_ridge", data);
  EXPECT_GT(marginal.mean("b"), 1);
  EXPECT_LT(conditional.mean("b"), 0.01 * marginal.mean("b"));
  // Half of the variance of column 0 is in column 5.
  EXPECT_NEAR(conditional.mean("a") / marginal.mean("a"), 0.5, 0.1);
}

// Property 7, first part: the spread over repeats is an error of the draws, not of the data: the
// mean over R repeats has 1/sqrt(R) of it, and exact donors have none.
TEST(Repeats, MeasureTheErrorOfTheDrawsAlone) {
  const Data data = make_data(40);
  const auto spread_of_means = [&](size_t repeats) {
    Numbers means;
    for (uint64_t seed = 0; seed < 60; ++seed) {
      const Way way = {
          "seeded", 0, [=](const Data& d) {
            return keyed_exchange(
                {.seed = seed, .rows = d.y.size(), .samples = d.y.size(), .repeats = repeats});
          }};
      means.push_back(find(way, data).mean("a"));
    }
    double mean = 0, squares = 0;
    for (const double value : means) mean += value / 60;
    for (const double value : means) squares += (value - mean) * (value - mean) / 59;
    EXPECT_NEAR(mean, found_by("exact", data).mean("a"), 4 * std::sqrt(squares / 60));
    return std::sqrt(squares);
  };
  EXPECT_NEAR(spread_of_means(4) / spread_of_means(64), 4, 1.5);
}

}  // namespace
}  // namespace outerloop::interp
