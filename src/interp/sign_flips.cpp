// Tests and bands by random signs.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "outerloop/base/error.h"
#include "outerloop/base/pairwise_sum.h"
#include "outerloop/base/philox.h"
#include "outerloop/base/student_t.h"
#include "outerloop/interp/statistics.h"

namespace outerloop::interp {

namespace {

constexpr double kEqual = 1e-12;  // relative: what differs by less is a tie

}  // namespace

SignFlips SignFlips::exhaustive(size_t tasks) {
  if (tasks > kMostTasks) {
    throw BadInput(fmt::format(
        "all sign vectors are tried for at most {} tasks, got {}: sample them", kMostTasks, tasks));
  }
  return SignFlips(tasks, uint64_t{1} << tasks);
}

SignFlips SignFlips::sampled(size_t tasks, uint64_t count, uint64_t seed) {
  if (count == 0) throw BadInput("a sign-flip test needs a sign vector, got none");
  SignFlips flips(tasks, count);
  flips.exhaustive_ = false;
  flips.seed_ = seed;
  return flips;
}

SignFlips SignFlips::of(size_t tasks, uint64_t count, uint64_t seed) {
  return tasks <= kFewTasks ? exhaustive(tasks) : sampled(tasks, count, seed);
}

void SignFlips::fill(uint64_t vector, std::span<double> signs) const {
  OL_ASSERT(vector < count_ && signs.size() == tasks_, "a sign vector out of range");
  if (exhaustive_ || vector == 0) {
    for (size_t i = 0; i < tasks_; ++i) {
      signs[i] = i < kMostTasks && ((vector >> i) & 1) != 0 ? -1 : 1;
    }
    return;
  }
  Philox random({.seed = seed_, .purpose = Purpose::sign_flip, .iteration = vector});
  uint32_t word = 0;
  for (size_t i = 0; i < tasks_; ++i) {
    if (i % 32 == 0) word = random.next();
    signs[i] = ((word >> (i % 32)) & 1) != 0 ? -1 : 1;
  }
}

SignFlipTest sign_flip_test(std::span<const double> values, const SignFlips& flips) {
  if (values.empty() || values.size() != flips.tasks()) {
    throw BadInput(
        fmt::format("a sign-flip test of {} tasks got {} values", flips.tasks(), values.size()));
  }
  std::vector<double> magnitudes;
  for (const double value : values) magnitudes.push_back(std::abs(value));
  const double observed = pairwise_sum(values);
  const double tie = kEqual * pairwise_sum(magnitudes);
  SignFlipTest test;
  test.mean = mean_of(values);
  test.vectors = flips.count();
  std::vector<double> flipped(values.size());
  for (uint64_t vector = 0; vector < flips.count(); ++vector) {
    flips.fill(vector, flipped);
    for (size_t i = 0; i < values.size(); ++i) flipped[i] *= values[i];
    const double sum = pairwise_sum(flipped);
    test.two_sided += std::abs(sum) >= std::abs(observed) - tie ? 1 : 0;
    test.greater += sum >= observed - tie ? 1 : 0;
    test.less += sum <= observed + tie ? 1 : 0;
  }
  return test;
}

namespace {

// |numerator| / denominator, where nothing over nothing is nothing.
double ratio(double numerator, double denominator) {
  return numerator == 0 ? 0 : std::abs(numerator) / denominator;
}

double standard_error(std::span<const double> values, double mean, std::span<double> scratch) {
  const auto n = static_cast<double>(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    scratch[i] = (values[i] - mean) * (values[i] - mean);
  }
  return std::sqrt(pairwise_sum(std::span<const double>(scratch)) / (n - 1)) / std::sqrt(n);
}

// One column with all that the null distributions need of it.
struct CentredColumn {
  std::vector<double> values;
  std::vector<double> centred;
  double mean = 0;
  double error = 0;

  explicit CentredColumn(std::vector<double> all) : values(std::move(all)), mean(mean_of(values)) {
    for (const double value : values) centred.push_back(value - mean);
    std::vector<double> scratch(values.size());
    error = standard_error(values, mean, scratch);
  }
};

std::vector<double> column_of(const TableView& x, size_t j) {
  std::vector<double> values;
  for (size_t i = 0; i < x.rows(); ++i) values.push_back(x.row(i)[j]);
  return values;
}

// Means of columns with the signs of a vector, of the first tasks where a column is shorter.
class Flipped {
 public:
  explicit Flipped(const SignFlips& flips) : flips_(flips), signs_(flips.tasks()) {}

  void take(uint64_t vector) { flips_.fill(vector, signs_); }
  double mean(std::span<const double> values) {
    values_.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) values_[i] = signs_[i] * values[i];
    return mean_of(values_);
  }
  std::span<const double> values() const { return values_; }  // of the last mean

 private:
  const SignFlips& flips_;
  std::vector<double> signs_;
  std::vector<double> values_;
};

double greatest_of_band(std::span<const CentredColumn> columns, Flipped& flipped) {
  double greatest = 0;
  for (const CentredColumn& column : columns) {
    greatest = std::max(greatest, ratio(flipped.mean(column.centred), column.error));
  }
  return greatest;
}

// The error of flipped centred values follows from their mean, as flips leave squares alone. Signs
// that make all values equal leave no error, whatever the rounding.
double greatest_t_of_centred(std::span<const CentredColumn> columns, Flipped& flipped) {
  double greatest = 0;
  for (const CentredColumn& column : columns) {
    const auto n = static_cast<double>(column.values.size());
    const double mean = flipped.mean(column.centred);
    const double whole = column.error * column.error * (n - 1);  // mean square
    const double rest = whole - mean * mean;
    const double error = rest <= kEqual * whole ? 0 : std::sqrt(rest / (n - 1));
    greatest = std::max(greatest, ratio(mean, error));
  }
  return greatest;
}

double greatest_of_test(std::span<const CentredColumn> columns, Flipped& flipped) {
  double greatest = 0;
  std::vector<double> scratch;
  for (const CentredColumn& column : columns) {
    scratch.resize(column.values.size());
    const double mean = flipped.mean(column.values);
    greatest = std::max(greatest, ratio(mean, standard_error(flipped.values(), mean, scratch)));
  }
  return greatest;
}

// Of all vectors, rising.
template <class Statistic>
std::vector<double> null_distribution(std::span<const CentredColumn> columns,
                                      const SignFlips& flips, Statistic statistic) {
  std::vector<double> null;
  Flipped flipped(flips);
  for (uint64_t vector = 0; vector < flips.count(); ++vector) {
    flipped.take(vector);
    null.push_back(statistic(columns, flipped));
  }
  std::ranges::sort(null);
  return null;
}

double critical_value(const std::vector<double>& null, double level) {
  const double place = std::ceil(level * static_cast<double>(null.size()));
  return null[static_cast<size_t>(place) - 1];
}

}  // namespace

MaxT max_t(const TableView& x, const SignFlips& flips, double level) {
  if (x.rows() < 2 || x.rows() != flips.tasks() || !(level > 0 && level < 1)) {
    throw BadInput(
        fmt::format("a max-T band needs two tasks or more and a level in (0, 1), got {} "
                    "rows for signs of {} tasks, level {}",
                    x.rows(), flips.tasks(), level));
  }
  std::vector<CentredColumn> columns;
  for (size_t j = 0; j < x.columns(); ++j) columns.emplace_back(column_of(x, j));

  MaxT result;
  result.band_null = null_distribution(columns, flips, greatest_of_band);
  result.test_null = null_distribution(columns, flips, greatest_of_test);
  result.critical = critical_value(result.band_null, level);
  for (const CentredColumn& column : columns) {
    const double statistic = ratio(column.mean, column.error);
    const auto first = std::ranges::lower_bound(result.test_null, statistic * (1 - kEqual));
    result.mean.push_back(column.mean);
    result.error.push_back(column.error);
    result.statistic.push_back(statistic);
    result.lower.push_back(column.mean - result.critical * column.error);
    result.upper.push_back(column.mean + result.critical * column.error);
    result.exceeding.push_back(static_cast<uint64_t>(result.test_null.end() - first));
  }
  return result;
}

size_t fewest_tasks_of_band(double level) {
  size_t tasks = 1;
  for (double rarest = 1; rarest > 1 - level; rarest /= 2) ++tasks;
  return tasks;
}

namespace {

// Of a joint band, for one of its columns.
double half_of(const CentredColumn& column, double critical, double level) {
  if (column.values.size() < fewest_tasks_of_band(level)) return INFINITY;
  if (column.error == 0) return 0;
  const auto freedom = static_cast<int64_t>(column.values.size()) - 1;
  return std::max(critical, student_t_quantile((1 + level) / 2, freedom)) * column.error;
}

}  // namespace

JointBand joint_band(std::span<const std::vector<double>> columns, const SignFlips& flips,
                     double level) {
  size_t longest = 0;
  size_t shortest = SIZE_MAX;
  for (const auto& column : columns) {
    longest = std::max(longest, column.size());
    shortest = std::min(shortest, column.size());
  }
  if (columns.empty() || shortest < 2 || longest != flips.tasks() || !(level > 0 && level < 1)) {
    throw BadInput(
        fmt::format("a joint band needs two tasks or more of each of its columns and a level in "
                    "(0, 1), got {} columns, signs of {} tasks, level {}",
                    columns.size(), flips.tasks(), level));
  }
  std::vector<CentredColumn> all;
  for (const auto& column : columns) all.emplace_back(column);
  JointBand band{.critical =
                     critical_value(null_distribution(all, flips, greatest_t_of_centred), level)};
  for (const CentredColumn& column : all) {
    band.mean.push_back(column.mean);
    band.error.push_back(column.error);
    band.half.push_back(half_of(column, band.critical, level));
  }
  return band;
}

}  // namespace outerloop::interp
