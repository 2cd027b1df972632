#pragma once
// What a report shows, as plain values: read from a run folder (gather.h), drawn by page.h.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outerloop/data/image_file.h"
#include "outerloop/train/evaluation.h"
#include "report/html.h"

namespace outerloop::report {

using train::Statistic;

// Means over the iterations since the point before.
struct TrainingPoint {
  int64_t iteration = 0;
  double loss = 0;
  std::optional<double> accuracy;  // classification only
};

struct ValidationPoint {
  int64_t iteration = 0;
  double loss = 0, loss_ci95 = 0;
  std::optional<double> accuracy;
  double accuracy_ci95 = 0;
};

// The test after `step` inner steps.
struct StepResult {
  int64_t step = 0;
  Statistic loss;
  std::optional<Statistic> accuracy;
  int64_t diverged = 0;
};

// Results of each test task, means over its draws: accuracies, or losses of regression; NaN where
// all of them diverged.
struct TaskResults {
  std::vector<double> before;  // any step
  std::vector<double> after;
};

struct ImageQuery {
  data::Image image;
  size_t truth = 0;           // class
  std::vector<float> before;  // class probabilities
  std::vector<float> after;   // empty where the learner takes no steps
};

// An example task of images.
struct ImageTask {
  bool ink_is_high = false;  // light and dark are the other way round than on paper
  std::string group;
  std::vector<std::string> class_names;
  std::vector<std::vector<data::Image>> support;  // by class
  std::vector<ImageQuery> queries;
};

struct Place {
  double x = 0;
  double y = 0;
};

struct Prediction {
  int64_t step = 0;  // inner steps before it
  std::vector<Place> curve;
};

// An example task of a function on the line.
struct CurveTask {
  std::string name;
  std::vector<Place> truth;  // by x
  std::vector<Place> support;
  std::vector<Prediction> predictions;
};

// An example task of a table with a real target, in the target's units: x is the truth, y the
// prediction.
struct RowTask {
  std::string name;
  std::string target;
  std::vector<Place> before;
  std::vector<Place> after;
};

struct ReportData {
  std::string title;
  std::string subtitle;
  bool classification = false;
  int64_t ways = 1;
  int64_t training_steps = 0;  // inner steps
  std::string training_loss;   // what it is, where not of queries after adaptation
  int64_t test_steps = 0;      // and at test and validation
  int64_t iterations = 0;      // done
  int64_t planned_iterations = 0;
  bool finished = false;
  std::optional<int64_t> best_iteration;
  int64_t nonfinite = 0;  // training tasks left out

  std::vector<TrainingPoint> training;
  std::vector<ValidationPoint> validation;
  std::vector<StepResult> test;  // after 0 … K steps; empty: no test
  int64_t test_tasks = 0;        // diverged ones too
  int64_t test_draws = 0;        // of them: more where they are drawn several times
  TaskResults task_results;

  std::vector<ImageTask> image_tasks;
  std::vector<CurveTask> curve_tasks;
  std::vector<RowTask> row_tasks;
  std::string no_examples;  // why there are none; empty otherwise

  std::vector<Fact> run, protocol, environment;
  std::string config;  // YAML
};

}  // namespace outerloop::report
