#pragma once
// What a sweep found. Nothing here depends on when, where or by how many workers it was trained.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/sweep/plan.h"

namespace outerloop::sweep {

// Over seeds: the mean and Student's 95 % interval around it. One seed: the half width is NaN.
struct OverSeeds {
  double mean = 0;
  double half = 0;
  int64_t seeds = 0;  // with a finite value; 0: mean is NaN
};

struct CurvePoint {
  int64_t iteration = 0;
  OverSeeds value;
};

struct SeedResult {
  int64_t number = 0;  // of the point
  std::string seed;
  double score = 0;
  double test = 0;
  int64_t diverged = 0;  // test tasks, as often as they were drawn
  int64_t tasks = 0;     // all of them
};

// Points that differ in the seed alone.
struct Setting {
  std::vector<std::string> values;  // of Table::keys
  OverSeeds score;                  // what settings are ranked by
  OverSeeds test;
  std::vector<SeedResult> seeds;  // done ones
  int64_t planned = 0;
  std::vector<CurvePoint> curve;  // the measure in validation, where every seed has it
};

int64_t seeds_without_score(const Setting& setting);
// "2 of 3, 1 without a score"
std::string seeds_in_words(const Setting& setting);
int64_t diverged(const Setting& setting);
// Test tasks of all seeds: "3 of 600"; "-" without a test.
std::string diverged_in_words(const Setting& setting);

struct Table {
  std::vector<std::string> keys;  // that some point overrides, but for the seed
  std::string measure;            // "accuracy" or "loss"
  std::string statistic;          // of the measure, over tasks: "mean" or "median"
  bool greater_is_better = false;
  bool validated = false;  // score: the best validation; else the test
  int64_t points = 0;
  int64_t done = 0;
  // Best first; behind them those with a seed whose score is no number (it diverged), by the
  // others; those without any score last, in planned order.
  std::vector<Setting> settings;
};

// "test accuracy", "median test loss": accuracies are means as everywhere.
std::string measure_in_words(const Table& table, const std::string& split);
// Some test task did: then tables for people have a column for it.
bool any_diverged(const Table& table);

// Of the points whose result verifies. Throws CorruptFile where a verified result cannot be read.
Table tabulate(const SweepFolder& folder, const Plan& plan);

// One line a setting; the header names the columns.
std::string to_csv(const Table& table);
std::string to_json(const Table& table);

// A table for people: the best `most` settings.
std::string to_text(const Table& table, size_t most);

}  // namespace outerloop::sweep
