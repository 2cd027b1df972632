#pragma once
// Importance for a stored run over many tasks: the farm's job, and what its results say.

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/base/averages.h"
#include "outerloop/farm/job.h"
#include "outerloop/farm/results.h"
#include "outerloop/interp/budget.h"
#include "outerloop/interp/task_scorer.h"
#include "outerloop/interp/task_summary.h"

namespace outerloop::interp {

inline constexpr int64_t kUsualPatch = 4;

struct RunImportanceSpec {
  std::filesystem::path run;        // run folder or checkpoint file
  std::string checkpoint = "best";  // as in train::open_run()
  // As in train::protocol_overrides(), but of runtime.* isa alone.
  std::vector<std::string> overrides;
  data::Split split = data::Split::test;
  std::optional<int64_t> tasks;  // default: as many as the run's own test or validation
  std::optional<int64_t> seed;   // default: the run's
  int64_t repeats = 2;
  // Chooses tasks (`tasks` are the most) and repeats; see run_budget.h.
  std::optional<BudgetRule> budget;
  bool exact = false;
  bool within_classes = false;  // donors of the row's class alone
  bool curve = false;
  std::vector<Estimand> estimands;   // empty: all that the learner and its data have
  std::vector<std::string> metrics;  // empty: usual_metrics()
  std::vector<NamedGroup> groups;    // of a table's features; other features are alone
  std::optional<int64_t> bins;       // one input: places along it as groups, estimand labels
  // Images, at most one of them; none: patch = kUsualPatch.
  std::optional<int64_t> patch;        // side of a square of pixels, a group each
  std::optional<int64_t> superpixels;  // about so many regions of the mean training image
  std::optional<int64_t> strokes;      // so many pieces of the lines of each image, by size
  int threads = 1;
};

// What the answers to a run's tasks are scored by if nothing else is asked.
std::vector<std::string> usual_metrics(bool classification);

// What is known of one group by one estimand at one step.
struct GroupFinding {
  std::string group;
  TaskSummary tasks;       // over tasks, each the mean of its repeats
  int64_t task_count = 0;  // a budget gives groups tasks of their own
  double band_half = 0;    // joint over the groups of the estimand; too few tasks: infinite
  double p_value = 0;      // two-sided sign flips over tasks, by itself
  double p_joint = 0;      // adjusted over the groups (max-T)
  // Standard error that the draws alone would leave; not a number where that is not known: with one
  // draw of each, and for what is derived from several estimands.
  double repeat_error = 0;

  bool has_band() const { return std::isfinite(band_half); }
};

struct EstimandFinding {
  std::string name;  // of finding_kinds()
  int64_t step = 0;
  std::vector<GroupFinding> groups;

  bool has_band() const { return std::ranges::all_of(groups, &GroupFinding::has_band); }
};

struct MetricFinding {
  std::string metric;
  std::vector<MeanInterval> baseline;  // of the score after 0 … K steps (losses negative)
  std::vector<EstimandFinding> estimands;
};

// What the adapted model reads in a class of images, over the tasks that it is in.
struct ClassFinding {
  std::string name;
  int64_t tasks = 0;
  std::vector<MeanInterval> groups;  // over the tasks; of one task: no interval (NaN)
  std::vector<float> image;          // one of its queries, (height, width, channels), 0 … 1
  std::vector<int32_t> regions;      // the group of each of its pixels, or -1
};

// Tasks first … first + tasks - 1, scored alike. Groups by their place among all.
struct ImportanceRound {
  int64_t first = 0, tasks = 0, repeats = 2;
  std::vector<size_t> groups;
};

// What a budget was spent on.
struct RunBudgetSpent {
  BudgetSpent spent;  // cost: FLOPs
  std::vector<ImportanceRound> rounds;
  std::vector<std::string> wide;  // "query of place", whose bands are wider than asked
  std::string text;
};

struct RunImportance {
  RunImportanceSpec spec;
  std::filesystem::path checkpoint_file;
  std::string content_hash;
  std::string dataset;       // name of its file; empty where tasks are made without one
  std::string split_scheme;  // of a set of images; empty for other tasks
  std::string algorithm;
  std::string family;
  int64_t ways = 1, support_rows = 0, query_rows = 0, steps = 0;
  int64_t tasks = 0;              // that were scored
  std::vector<int64_t> left_out;  // tasks that diverged, or with a value that is not finite
  std::vector<std::string> groups;
  std::vector<std::string> task_names;  // of the tasks that were not left out
  std::vector<MetricFinding> metrics;
  std::optional<RunBudgetSpent> budget;
  // (metric, task, group) of `query` after the last step, of the first tasks, which have all
  // groups: for pictures.
  std::vector<std::vector<double>> matrix;
  // Of the groups, where they are places: the outer ones with the ends of the training tasks'
  // range, though they take what lies beyond too.
  std::vector<PlaceBin> bins;
  std::vector<ClassFinding> classes;  // those in most tasks, by the first metric
  std::array<int64_t, 3> image = {};  // height, width, channels
  std::vector<float> mean_image;      // of queries
  std::vector<int32_t> regions;       // the group of each pixel; empty: each image has its own
};

struct RunProblem;

// A round: a cell is a task ("task=17"), its values are those of TaskScorer.
class RunImportanceJob final : public farm::Job {
 public:
  // Opens the run and its data. All tasks, or the first ones of the budget. Throws BadInput.
  explicit RunImportanceJob(const RunImportanceSpec& spec);
  // Another round on the same run. Not while another round of the run is at work.
  RunImportanceJob(std::shared_ptr<RunProblem> problem, const ImportanceRound& round);
  ~RunImportanceJob() override;

  const farm::Manifest& manifest() const override;
  const std::vector<farm::Cell>& cells() const override;
  const std::vector<std::string>& columns() const override;
  void run(size_t cell, int thread, std::span<double> values) override;

  // Of complete results of the only round.
  RunImportance fold(const farm::Results& results) const;

  const std::shared_ptr<RunProblem>& problem() const;
  const ImportanceRound& round() const;
  TaskCosts costs() const;  // in FLOPs
  TaskWork work() const;    // of all cells that were run here; not while one is at work
  const std::vector<TaskColumn>& task_columns() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// Of the tasks that lose most by the group, the first one the most.
std::vector<std::string> names_of_worst(const RunImportance& result, const GroupFinding& group);

// In plain sentences; a table for people; a machine's JSON and CSV.
std::string describe_protocol(const RunImportance& result);
std::string to_text(const RunImportance& result);
std::string to_json(const RunImportance& result);
std::string to_csv(const RunImportance& result);

}  // namespace outerloop::interp
