#pragma once
// A learner that adapts, at work on one task, as the importance of its inputs asks it.

#include <cstdint>
#include <span>
#include <vector>

#include "outerloop/data/episode.h"

namespace outerloop::interp {

// Some inputs of each row: the same of all rows, or each row's own.
struct RowInputs {
  std::span<const uint32_t> of_all;
  std::span<const std::vector<uint32_t>> of_each;  // by row; empty: of_all

  std::span<const uint32_t> of(size_t row) const { return of_each.empty() ? of_all : of_each[row]; }
};

// A copy of a set's rows with some inputs from elsewhere. Refers to what it names.
struct ChangedRows {
  RowInputs inputs;                  // that come from elsewhere
  std::span<const uint32_t> donors;  // by row, the row of `source` that gives them; empty: none do
  std::span<const float> source;     // (rows, inputs of a row)
};

// Whether a bit of the copy is another than in `rows`, (rows, row_inputs).
bool differs(const ChangedRows& copy, std::span<const float> rows, size_t row_inputs);
// The whole copy of `rows`, (rows, row_inputs).
void write(const ChangedRows& copy, std::span<const float> rows, size_t row_inputs,
           std::span<float> result);

// For one thread at a time.
class TaskLearner {
 public:
  virtual ~TaskLearner() = default;
  virtual int64_t steps() const = 0;      // inner steps; 0: there is no prior to compare with
  virtual size_t width() const = 0;       // predictions of a row
  virtual bool couples_rows() const = 0;  // an answer depends on the other rows of its set
  virtual size_t most_sets() const = 0;   // query sets in one ask()

  // Counted work, in any unit: of adapt(); of answer() for a query set with so many inputs from
  // elsewhere; of what the first answer after adapt() needs besides, at each step.
  virtual double adapt_cost() const = 0;
  virtual double answer_cost(size_t inputs) const = 0;
  virtual double first_answer_cost() const = 0;
  // Of all that was done so far.
  virtual double work() const = 0;

  // The episode's labels, minibatches and queries hold, and the episode itself, until the next
  // call.
  virtual void begin(const data::Episode& episode) = 0;
  virtual void adapt(std::span<const float> support_x) = 0;
  // Values of the support rows for what is adapted from now on; regression.
  virtual void relabel(std::span<const float> support_y) = 0;
  // What answer() is about, until the next ask() or begin(): copies of the task's queries. What
  // they refer to must stay as it is.
  virtual void ask(std::span<const ChangedRows> copies) = 0;
  // After `step` steps: the copies' rows, one copy behind the other, each by itself. Class
  // probabilities or values, (rows, width).
  virtual void answer(int64_t step, std::span<double> predictions) = 0;
};

}  // namespace outerloop::interp
