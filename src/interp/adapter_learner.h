#pragma once
// A stored learner as importance sees it. A task adapts once; phi serves the untouched queries and
// all copies.
//
// Where the queries enter by a product with the first layer's weight alone (networks on tables),
// that product is kept for the untouched queries, by step, and a copy is answered from it, changed
// by the group's inputs alone: its cost does not depend on how many inputs a row has. A copy in
// which a large value changes, whose rounding the kept product has, gets a product of its own.
// Elsewhere (convolutions; batch norm, which divides by what rounding leaves where rows become
// alike) the copies' rows are gathered into the input of the call.

#include <optional>

#include "interp/product_update.h"
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
  size_t most_sets() const override { return most_sets_; }
  double adapt_cost() const override { return adapter_.adapt_flops(); }
  double answer_cost(size_t inputs) const override;
  double first_answer_cost() const override { return adapter_.product_flops(steps()); }
  double work() const override { return work_; }
  void begin(const data::Episode& episode) override;
  void adapt(std::span<const float> support_x) override;
  void relabel(std::span<const float> support_y) override;
  void ask(std::span<const ChangedRows> copies) override;
  void answer(int64_t step, std::span<double> predictions) override;

 private:
  using Product = train::Adapter::Product;

  // Of the untouched queries.
  const Product& product(int64_t step);
  void take_products(int64_t step);
  void take_own_products(int64_t step);

  const train::Setup& setup_;
  size_t width_;
  size_t query_rows_;
  size_t inputs_;  // of a row
  size_t most_sets_;
  data::Episode episode_;
  train::Adapter adapter_;
  double work_ = 0;
  std::span<const float> queries_;  // untouched
  size_t sets_ = 0;                 // that were asked about
  // Where answers start from products.
  std::optional<ProductUpdate> update_;
  std::vector<RowSteps> asked_;                   // by set
  std::vector<std::vector<float>> own_rows_;      // the same: of those that get their own product
  std::vector<std::optional<Product>> products_;  // by step; none since the task was adapted to
};

}  // namespace outerloop::interp
