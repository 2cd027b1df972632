#pragma once
// Simple models on the very tasks that a config's learner is tested on.

#include <string>
#include <vector>

#include "outerloop/config/read.h"
#include "outerloop/train/statistic.h"

namespace outerloop::interp {

struct Baseline {
  std::string name;
  train::Statistic loss;        // squared error, as the learner's loss
  std::vector<double> by_task;  // its mean over the draws of each distinct task
};

// From so many support rows.
struct BaselinesOf {
  int64_t shots = 0;
  double ridge = 0;              // strengths chosen on the validation tasks
  std::vector<Baseline> models;  // global mean, support mean, task ridge, pooled, hierarchical
};

struct TaskBaselines {
  double target_variance = 1;  // one unit of loss in squared units of the target column
  bool standardised = true;    // that is the variance of the training rows' targets
  double pooled_ridge = 0;
  // So many inputs or more: the weights are the pooled model's, and only the constant differs from
  // task to task.
  static constexpr int64_t kMostFreeWeights = 160;
  bool only_constant_differs = false;
  std::vector<BaselinesOf> shots;
};

// shots: empty for the config's. Tasks are those of outerloop eval: by seed, test protocol and
// number. Throws BadInput unless the tasks are regression on a table and test.tasks is 1 or more.
TaskBaselines compute_baselines(const config::Resolved& resolved, std::vector<int64_t> shots);

std::string describe(const TaskBaselines& baselines);
std::string to_json_text(const TaskBaselines& baselines);

}  // namespace outerloop::interp
