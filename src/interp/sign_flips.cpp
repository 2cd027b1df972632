// Tests and bands by random signs.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "interp/pairwise_sum.h"
#include "outerloop/base/error.h"
#include "outerloop/base/philox.h"
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
struct Column {
  std::vector<double> values;
  std::vector<double> centred;
  double mean = 0;
  double error = 0;

  Column(const TableView& x, size_t j) {
    for (size_t i = 0; i < x.rows(); ++i) values.push_back(x.row(i)[j]);
    mean = mean_of(values);
    for (const double value : values) centred.push_back(value - mean);
    std::vector<double> scratch(values.size());
    error = standard_error(values, mean, scratch);
  }
};

class NullDistributions {
 public:
  NullDistributions(std::span<const Column> columns, const SignFlips& flips)
      : columns_(columns), signs_(flips.tasks()), flipped_(flips.tasks()), scratch_(flips.tasks()) {
    for (uint64_t vector = 0; vector < flips.count(); ++vector) {
      flips.fill(vector, signs_);
      double of_band = 0;
      double of_test = 0;
      for (const Column& column : columns_) {
        of_band = std::max(of_band, ratio(flipped_mean(column.centred), column.error));
        const double mean = flipped_mean(column.values);
        of_test = std::max(of_test, ratio(mean, standard_error(flipped_, mean, scratch_)));
      }
      band.push_back(of_band);
      test.push_back(of_test);
    }
    std::ranges::sort(band);
    std::ranges::sort(test);
  }

  std::vector<double> band;
  std::vector<double> test;

 private:
  double flipped_mean(std::span<const double> values) {
    for (size_t i = 0; i < values.size(); ++i) flipped_[i] = signs_[i] * values[i];
    return mean_of(flipped_);
  }

  std::span<const Column> columns_;
  std::vector<double> signs_;
  std::vector<double> flipped_;
  std::vector<double> scratch_;
};

}  // namespace

MaxT max_t(const TableView& x, const SignFlips& flips, double level) {
  if (x.rows() < 2 || x.rows() != flips.tasks() || !(level > 0 && level < 1)) {
    throw BadInput(
        fmt::format("a max-T band needs two tasks or more and a level in (0, 1), got {} "
                    "rows for signs of {} tasks, level {}",
                    x.rows(), flips.tasks(), level));
  }
  std::vector<Column> columns;
  for (size_t j = 0; j < x.columns(); ++j) columns.emplace_back(x, j);
  NullDistributions null(columns, flips);
  const double place = std::ceil(level * static_cast<double>(flips.count()));

  MaxT result;
  result.critical = null.band[static_cast<size_t>(place) - 1];
  for (const Column& column : columns) {
    const double statistic = ratio(column.mean, column.error);
    const auto first = std::ranges::lower_bound(null.test, statistic * (1 - kEqual));
    result.mean.push_back(column.mean);
    result.error.push_back(column.error);
    result.statistic.push_back(statistic);
    result.lower.push_back(column.mean - result.critical * column.error);
    result.upper.push_back(column.mean + result.critical * column.error);
    result.exceeding.push_back(static_cast<uint64_t>(null.test.end() - first));
  }
  result.band_null = std::move(null.band);
  result.test_null = std::move(null.test);
  return result;
}

}  // namespace outerloop::interp
