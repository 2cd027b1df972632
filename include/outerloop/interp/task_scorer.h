#pragma once
// Importance of groups of inputs for a learner that adapts to each task: what does the prior read,
// what does the adaptation learn from, what does the adapted model read?
//
// Task = (support S, query Q); A(S) the adapted model; v(S, Q) its score on Q, the greater the
// better. S~g and Q~g: group g permuted between the rows of that set, labels kept; S and Q are
// never mixed.
//   prior          v of phi_0 on Q   - the same on Q~g      what does the prior read?
//   query          v(S, Q) - v(S, Q~g)                      what does the adapted model read?
//   support        v(S, Q) - v(S~g, Q)                      what does adaptation learn from g?
//   support_query  v(S, Q) - v(S~g, Q~g), independent draws total worth of g
//   drop           v(S, Q) - v(S-g, Q-g), g at its mean over training tasks    worth, without
//                                                                              misinformation
//   across         v(S, Q) - v(S, Q with g from other tasks' queries)   task-level inputs
//   labels         v(S, Q) - v(S with labels of others at the points of g, Q), where g is not
//                  inputs but a bin of places: where along x does adaptation read?
// A task adapts once for all that leaves its support set as it is.
// With common random numbers: the draws of a (task, repeat) serve all groups, estimands and steps,
// and baseline and permuted copy share the episode.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outerloop/config/choice.h"
#include "outerloop/data/episode.h"
#include "outerloop/interp/budget.h"
#include "outerloop/interp/feature_groups.h"
#include "outerloop/interp/metrics.h"
#include "outerloop/interp/task_learner.h"

namespace outerloop::interp {

OL_CONFIG_CHOICE(Estimand, prior, query, support, support_query, drop, across, labels)

// Whether there is no chance in it: what is masked by its mean, or, where exact, a mean over all
// donors.
bool is_certain(Estimand estimand, bool exact);

// Support rows whose only input is in [low, high).
struct PlaceBin {
  float low = 0, high = 0;
};

// Pieces of the lines of a drawing, each row's own.
struct LineGroups {
  int64_t height = 0, width = 0;  // of a row, with one channel
  int64_t most = 0;               // pieces of a row, the last with all smaller ones
  std::vector<int32_t> places;    // of each group its piece: 0 is a row's largest
};

struct TaskScoring {
  std::vector<FeatureGroup> groups;  // columns are inputs of a row
  std::vector<PlaceBin> bins;        // of the groups, which have no columns then: for labels alone
  std::optional<LineGroups> lines;   // of the groups, which have no columns then
  std::vector<Metric> metrics;
  std::vector<Estimand> estimands;  // each once
  // Classes to tell apart: query after the last step by the first metric, of the rows of each class
  // alone, the mean over repeats.
  int64_t classes = 0;
  bool curve = false;  // query after each inner step, not after the last alone
  // query and prior over all donors, itself included: no random error. Where rows are coupled, or a
  // metric is no mean over rows: BadInput.
  bool exact = false;
  // Rows exchange values with rows of their own class alone, in both sets: what a group tells apart
  // inside a class. Sets have equally many rows of each class; where that is one, or for across:
  // BadInput.
  bool within_classes = false;
  int64_t repeats = 2;
  uint64_t seed = 0;
  std::vector<float> means;  // of each input over training tasks, for drop
  // A task whose untouched queries end with a greater loss, or one that is not finite, has no
  // decreases.
  double diverged_loss = std::numeric_limits<double>::infinity();
};

// What a cell's values are: for each metric and step the untouched score, then decreases.
struct TaskColumn {
  size_t metric = 0;
  bool is_baseline = false;
  Estimand estimand = Estimand::query;
  int64_t step = 0;  // of baseline, prior and query; else the last
  size_t group = 0;
  int64_t repeat = 0;
  int64_t label = -1;  // of the rows; -1: all
};

// Counted, of all score() so far.
struct TaskWork {
  int64_t cells = 0;   // scores of a permuted copy
  int64_t spared = 0;  // of them: the copy was equal to the original, so there was nothing to do
  int64_t rows = 0;    // answered, those of untouched queries too
  double flops = 0;    // in the unit of the learner's costs
};

class TaskScorer {
 public:
  // An episode of the same distribution for across: another task than `task` by (task, draw).
  using Donors = std::function<const data::Episode&(uint64_t task, uint64_t draw)>;

  // The learner must outlive it. Throws BadInput on what the learner cannot do.
  TaskScorer(const TaskScoring& scoring, TaskLearner& learner, const data::EpisodeSpec& spec,
             Donors donors);
  ~TaskScorer();

  const std::vector<TaskColumn>& columns() const;
  // "log_loss/query@5/temp/1"
  std::string name_of(const TaskColumn& column) const;

  // Of all estimands together, if no copy is spared.
  TaskCosts costs() const;
  const TaskWork& work() const;

  // Fills one value per column, NaN by every metric where an answer is not finite and, from the
  // last step on, where the task diverged. A pure function of the episode, the task's number (below
  // 2^40) and the seed.
  void score(const data::Episode& episode, uint64_t task, std::span<double> values);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace outerloop::interp
