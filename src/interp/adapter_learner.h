#pragma once
// A stored learner as importance sees it.

#include <vector>

#include "outerloop/interp/task_scorer.h"
#include "outerloop/train/adapter.h"
#include "outerloop/train/setup.h"

namespace outerloop::interp {

class AdapterLearner final : public TaskLearner {
 public:
  // Refers to the set-up.
  AdapterLearner(const train::Setup& setup, const Tensor& theta);

  int64_t steps() const override { return one_.steps(); }
  size_t width() const override { return width_; }
  bool couples_rows() const override { return couples_rows_; }
  double adapt_cost() const override { return one_.adapt_flops(); }
  double answer_cost() const override { return one_.answer_flops(steps()); }
  void begin(const data::Episode& episode) override;
  void adapt(std::span<const float> support_x) override;
  void relabel(std::span<const float> support_y) override;
  void answer(int64_t step, std::span<const float> query_x, std::span<double> predictions) override;

 private:
  void answer_with(train::Adapter& adapter, size_t rows, int64_t step,
                   std::span<const float> query_x, std::span<double> predictions);

  const train::Setup& setup_;
  bool couples_rows_;
  size_t width_;
  size_t query_rows_;
  size_t inputs_;  // of a row
  size_t copies_;  // query sets in a call of many_
  data::Episode episode_;
  train::Adapter one_;
  std::optional<train::Adapter> many_;
  bool many_is_behind_ = true;  // it has not adapted as one_ has
  std::vector<float> room_;
};

}  // namespace outerloop::interp
