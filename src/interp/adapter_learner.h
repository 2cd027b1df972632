#pragma once
// A stored learner as importance sees it. A task adapts once; phi serves the untouched queries and
// all copies. Of the copies' rows, answer() copies what it is given into the input of a call.

#include "outerloop/interp/task_scorer.h"
#include "outerloop/train/adapter.h"
#include "outerloop/train/setup.h"

namespace outerloop::interp {

class AdapterLearner final : public TaskLearner {
 public:
  // Refers to the set-up.
  AdapterLearner(const train::Setup& setup, const Tensor& theta);

  int64_t steps() const override { return adapter_.steps(); }
  size_t width() const override { return width_; }
  bool couples_rows() const override;
  double adapt_cost() const override { return adapter_.adapt_flops(); }
  double answer_cost(size_t sets) const override;
  void begin(const data::Episode& episode) override;
  void adapt(std::span<const float> support_x) override;
  void relabel(std::span<const float> support_y) override;
  void answer(int64_t step, std::span<const float> query_x, std::span<double> predictions) override;

 private:
  const train::Setup& setup_;
  size_t width_;
  size_t query_rows_;
  size_t inputs_;  // of a row
  size_t copies_;  // query sets in a call
  data::Episode episode_;
  train::Adapter adapter_;
};

}  // namespace outerloop::interp
