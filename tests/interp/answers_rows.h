#pragma once

#include <span>
#include <vector>

#include "outerloop/interp/task_scorer.h"

namespace outerloop::interp {

// Learners that answer whole rows.
class AnswersRows : public TaskLearner {
 public:
  size_t most_sets() const override { return 3; }
  double first_answer_cost() const override { return 0; }
  double work() const override { return 0; }
  void begin(const data::Episode& episode) override {
    relabel(episode.support_y.as<float>());
    look_at(episode);
  }
  void ask(std::span<const ChangedRows> copies) override {
    rows_.resize(copies.size() * queries_.size());
    for (size_t c = 0; c < copies.size(); ++c) {
      const auto place = std::span(rows_).subspan(c * queries_.size(), queries_.size());
      write(copies[c], queries_, row_inputs_, place);
    }
  }

 protected:
  void look_at(const data::Episode& episode) {
    queries_ = episode.query_x.as<float>();
    row_inputs_ = queries_.size() / static_cast<size_t>(episode.query_x.shape()[0]);
  }
  std::span<const float> asked() const { return rows_; }

 private:
  std::span<const float> queries_;
  std::vector<float> rows_;
  size_t row_inputs_ = 0;
};

// Two classes by a rule that no support set changes.
class SaysOdds : public AnswersRows {
 public:
  explicit SaysOdds(size_t inputs) : inputs_(inputs) {}
  int64_t steps() const override { return 0; }
  size_t width() const override { return 2; }
  bool couples_rows() const override { return false; }
  double adapt_cost() const override { return 1; }
  double answer_cost(size_t) const override { return 1; }
  void begin(const data::Episode& episode) override { look_at(episode); }
  void relabel(std::span<const float>) override {}
  void adapt(std::span<const float>) override {}
  void answer(int64_t, std::span<double> predictions) override {
    for (size_t row = 0; 2 * row < predictions.size(); ++row) {
      const double odds = odds_of(asked().subspan(inputs_ * row, inputs_));
      predictions[2 * row] = 1 / (1 + odds);
      predictions[2 * row + 1] = odds / (1 + odds);
    }
  }

 protected:
  virtual double odds_of(std::span<const float> x) const = 0;  // of class 1

 private:
  size_t inputs_;
};

}  // namespace outerloop::interp
