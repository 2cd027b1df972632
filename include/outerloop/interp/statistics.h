#pragma once
// Statistics over tasks: the task is the unit of replication.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/interp/table.h"

namespace outerloop::interp {

// Conditional value at risk: mean of the worst (greatest) share of the losses; a share that cuts a
// loss takes part of it (Rockafellar and Uryasev 2000). Throws BadInput unless 0 < share <= 1.
double conditional_value_at_risk(std::span<const double> losses, double share);

// Vectors of signs, one sign per task; vector 0 changes nothing.
class SignFlips {
 public:
  static constexpr size_t kMostTasks = 24;  // of an exhaustive test
  static constexpr size_t kFewTasks = 11;   // 2,048 vectors

  // All 2^tasks. Throws BadInput for more than kMostTasks.
  static SignFlips exhaustive(size_t tasks);
  // The first and count - 1 random ones: vector i is a function of (seed, i) alone.
  static SignFlips sampled(size_t tasks, uint64_t count, uint64_t seed);
  // All up to kFewTasks, beyond them `count` random ones.
  static SignFlips of(size_t tasks, uint64_t count, uint64_t seed);

  size_t tasks() const { return tasks_; }
  uint64_t count() const { return count_; }
  // Writes +1 or -1 per task.
  void fill(uint64_t vector, std::span<double> signs) const;

 private:
  SignFlips(size_t tasks, uint64_t count) : tasks_(tasks), count_(count) {}
  size_t tasks_;
  uint64_t count_;
  bool exhaustive_ = true;
  uint64_t seed_ = 0;
};

// How many sign vectors give a mean at least as extreme as the observed one, itself included. Sums
// within 1e-12 of the sum of absolute values count as equal. p = count / vectors.
struct SignFlipTest {
  double mean = 0;
  uint64_t vectors = 0;
  uint64_t two_sided = 0;
  uint64_t greater = 0;
  uint64_t less = 0;
};
SignFlipTest sign_flip_test(std::span<const double> values, const SignFlips& flips);

// Simultaneous statements about the means of the columns of x (tasks, columns), by sign flips
// (Westfall and Young 1993, single step). se_j = sd_j / sqrt(n). Needs two tasks.
//   band      M(s) = max_j |mean_i s_i (x_ij - mean_j)| / se_j; critical = the
//             ceil(level * count)-th smallest M; mean_j -+ critical * se_j. A column without
//             variation has no width. With few tasks it covers less than it says (three columns,
//             40 tasks: 93 % for 95 %).
//   p values  M0(s) = max_j |t| of column j of s x with its own sd; how many M0(s) >= t_j,
//             equality within 1e-12 counting
struct MaxT {
  std::vector<double> mean;
  std::vector<double> error;      // se
  std::vector<double> statistic;  // t = |mean| / se; 0 / 0 is 0
  double critical = 0;
  std::vector<double> lower;
  std::vector<double> upper;
  std::vector<uint64_t> exceeding;  // adjusted p = exceeding / count
  std::vector<double> band_null;    // M of all vectors, rising
  std::vector<double> test_null;    // M0 of all vectors, rising
};
MaxT max_t(const TableView& x, const SignFlips& flips, double level = 0.95);

// A band over all columns together for columns of different lengths: column j has the values of
// tasks 0 … n_j - 1, and a task has one sign for all of its values. Like the band of max_t, but
// each flipped column is divided by its own error, as the observed one is, so that few tasks cover
// what they say (three columns of normal values, from 6 tasks on: 95 %). A statement about all
// columns is no narrower than one about a column: where the t-interval of mean_interval() is wider,
// it is taken. A column of fewer than fewest_tasks_of_band() tasks has no band. Nor has any that
// varies where few tasks have few different values: signs that make a column's values equal have an
// infinite t, and more than 1 - level of them make critical infinite. `flips` has the tasks of the
// longest column. Throws BadInput unless each column has two values or more and the longest fits.
struct JointBand {
  std::vector<double> mean;
  std::vector<double> error;  // sd_j / sqrt(n_j)
  // max(critical, t quantile) * error_j; no variation: 0; no band: infinite.
  std::vector<double> half;
  double critical = 0;
};
// A vector of signs and its mirror image are equally extreme, so that of all 2^n none is rarer than
// 2 in 2^n: from how many tasks on that is at most 1 - level. 95 %: 6. 0 < level < 1.
size_t fewest_tasks_of_band(double level = 0.95);
JointBand joint_band(std::span<const std::vector<double>> columns, const SignFlips& flips,
                     double level = 0.95);

}  // namespace outerloop::interp
